// What the pictures of shares have in common: decimals, signs and axes.
import { axis, plain } from "../../charts.js";

/** Colours that legends in HTML have too stand in views.css alone. */
export const styled = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** What raises an output, and what lowers it. */
export const plus = () => styled("plus");
export const minus = () => styled("minus");

/** What another party's part is drawn in, whichever way it goes. */
export const host = () => styled("host");

/** Decimals that show the largest of these numbers with four digits or so, 0 to 12. */
export function decimals(values) {
  const most = Math.max(...values.map(Math.abs).filter(Number.isFinite), 0);
  if (!most) return 2;
  return Math.min(12, Math.max(0, 3 - Math.floor(Math.log10(most) + 1e-9)));
}

/** A value axis along the bottom with its unit as its name. */
export function below(colours, name, width, more = {}) {
  return axis(colours, {
    type: "value", name, nameLocation: "middle", nameGap: 24, splitNumber: width < 500 ? 3 : 6,
    axisLabel: { color: colours.quiet, fontSize: 11, hideOverlap: true, showMinLabel: false, showMaxLabel: false },
    ...more,
  });
}

/** Room for names at the left of a picture, at most so many pixels, and how many letters fit. */
export function names(width, most = 230) {
  const left = Math.min(most, Math.round(width * 0.36));
  return { left, letters: Math.floor((left - 12) / 6.7) };
}

/** Names up the side, the first at the top: `text(at)` of each. */
export function side(colours, count, text, more = {}) {
  return axis(colours, {
    type: "category", inverse: true, data: Array.from({ length: count }, (_, at) => at), splitLine: { show: false },
    axisLabel: { color: colours.text, fontSize: 12, interval: 0, formatter: (at) => plain(text(at)) },
    ...more,
  });
}

/** A value as a reader knows it: category texts as they are, numbers short, with their unit. */
export function valueText(words, value, unit = "") {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return String(value);
  const text = Math.abs(value) >= 1e5 ? large(words, value) : value && Math.abs(value) < 1e-3 ? value.toExponential(2).replace("-", "−")
    : words.number(value, Number.isInteger(value) ? 0 : decimals([value]));
  return unit && unit !== "1" ? `${text} ${unit === "percent" ? "%" : unit}` : text;
}

/** 8360000000 -> 8.36 G */
function large(words, value) {
  const step = Math.min(5, Math.floor(Math.log10(Math.abs(value)) / 3 + 1e-9));
  const scaled = value / 1000 ** step;
  return `${words.number(scaled, Math.max(0, decimals([scaled]) - 1))} ${["", "k", "M", "G", "T", "P"][step]}`;
}

/** Two colours through the ground, for values from -1 to 1. */
export function between(colours) {
  const [raising, lowering] = [plus(), minus()];
  return (at) => mixed(colours.ground, at < 0 ? lowering : raising, Math.min(1, Math.abs(at)));
}

export function mixed(one, other, share) {
  const part = (text, k) => parseInt(text.slice(1 + 2 * k, 3 + 2 * k), 16);
  const hex = (k) => Math.round(part(one, k) + (part(other, k) - part(one, k)) * share).toString(16).padStart(2, "0");
  return `#${hex(0)}${hex(1)}${hex(2)}`;
}
