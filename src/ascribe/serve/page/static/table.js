// Tables of numbers: what a chart draws, for those who read or hear it.
import { el } from "./dom.js";

/** `columns`: [{label, numeric}]; `rows`: lists of texts or elements; the first cell of each row is its heading. */
export function table(caption, columns, rows, classes = "") {
  const head = columns.map(({ label, numeric }) => el(numeric ? "th.num" : "th", { scope: "col" }, label));
  const body = rows.map((row) =>
    el("tr", {}, row.map((cell, at) => {
      const kind = columns[at].numeric ? ".num" : "";
      return at === 0 ? el(`th${kind}`, { scope: "row" }, cell) : el(`td${kind}`, {}, cell);
    })),
  );
  return el(
    "table", { class: classes },
    el("caption", {}, caption), el("thead", {}, el("tr", {}, head)), el("tbody", {}, body),
  );
}

/** The table; each row of its body says which part of a sum it stands for. */
export function marked(made, parts) {
  parts.forEach((part, at) => (made.tBodies[0].rows[at].dataset.part = part));
  return made;
}

/** A table that scrolls by itself where it is wider than the page, also by keyboard. */
export function scrolled(made, label) {
  return el("div.scrolled", { tabindex: "0", role: "region", "aria-label": label }, made);
}

/** Folded away, mostly below a chart. */
export function folded(words, made, label, summary = words.t("shell.table")) {
  return el("details.numbers", {}, el("summary", {}, summary), scrolled(made, label));
}
