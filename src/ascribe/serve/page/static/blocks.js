// What views are built of: panels under a heading, facts, choices with their labels, things that open and close.
import { el, named } from "./dom.js";

export const panel = (title, ...children) => el("section.panel", { "aria-label": title }, el("h2", {}, title), ...children);

/** A heading, and at the other end of its line what can be done with what it stands over. */
export const headed = (heading, ...more) => el("div.row.ends", {}, heading, ...more);

/** [[key of words, text]]; what is empty is left out. */
export function facts(words, pairs, most = 80) {
  const held = pairs.filter(([, text]) => text);
  return el("dl.facts", {}, ...held.map(([key, text]) => el("div", {}, el("dt", {}, words.t(key)), el("dd", {}, named(text, most)))));
}

export const field = (label, input) => el("div.field", {}, el("label", { for: input.id }, label), input);

export const reasons = (list) => el("ul.reasons", {}, ...list.map((reason) => el("li", {}, reason)));

/** Colours from the lowest to the highest; `kind`: which. */
export const ramp = (kind, low, high) => el("p.ramp.quiet", {}, low, " ", el(`span.colours.${kind}`, { "aria-hidden": "true" }), " ", high);

/** Draws anew what is below `root`; each <details data-key> that was open is open again. */
export function keepingOpen(root, draw) {
  const open = new Set([...root.querySelectorAll("details[open]")].map((one) => one.dataset.key));
  draw();
  for (const one of root.querySelectorAll("details[data-key]")) if (open.has(one.dataset.key)) one.open = true;
}
