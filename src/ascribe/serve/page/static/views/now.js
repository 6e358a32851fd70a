import { el } from "../dom.js";

export const view = {
  id: "now",
  title: (words) => words.t("now.title"),
  mount(root, { words }) {
    root.append(el("h1", {}, words.t("now.title")));
    return () => {};
  },
};
