import { el } from "../dom.js";

export const view = {
  id: "ingest",
  title: (words) => words.t("ingest.title"),
  mount(root, { words }) {
    root.append(el("h1", {}, words.t("ingest.title")));
    return () => {};
  },
};
