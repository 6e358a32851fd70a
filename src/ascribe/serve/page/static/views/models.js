import { el } from "../dom.js";

export const view = {
  id: "models",
  title: (words) => words.t("models.title"),
  mount(root, { words }) {
    root.append(el("h1", {}, words.t("models.title")));
    return () => {};
  },
};
