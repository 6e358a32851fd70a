import { el } from "../dom.js";

export const view = {
  id: "explain",
  title: (words) => words.t("explain.title"),
  mount(root, { words }) {
    root.append(el("h1", {}, words.t("explain.title")));
    return () => {};
  },
};
