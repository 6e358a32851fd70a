// Which colour is whose: groups in the order in which the service names them, everywhere the same.
import { el, named } from "../../dom.js";

export function colourOf(colours, at) {
  return colours.groups[Math.max(at, 0) % colours.groups.length];
}

/** An entry of a legend; `kind`: band, line, dashed or residual. */
export function key(kind, colour, text) {
  const swatch = el(`i.swatch.${kind}`, { "aria-hidden": "true" });
  swatch.style.setProperty("--swatch", colour);
  return el("li", {}, swatch, named(text, 28));
}
