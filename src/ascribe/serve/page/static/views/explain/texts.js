// A sentence with each word on the colour of its value.
import { el } from "../../dom.js";
import { decimals, minus, plus } from "./scale.js";

/** Words and values; those of padding, the same word over and over at the end, together. */
function folded(texts, values) {
  let end = texts.length;
  while (end > 1 && texts[end - 2] === texts[end - 1]) end -= 1;
  const more = texts.length - end;
  if (!more) return [texts, values];
  const sum = values.slice(end - 1).reduce((total, value) => total + value, 0);
  return [[...texts.slice(0, end - 1), `${texts[end - 1]} ×${more + 1}`], [...values.slice(0, end - 1), sum]];
}

export function sentence({ words, theme }, all, each, unit) {
  const [texts, values] = folded(all, each);
  const most = Math.max(...values.map(Math.abs), 1e-12);
  const digits = decimals(values);
  const element = el("p.words", { role: "group", "aria-label": words.t("explain.words_label") });

  function draw() {
    element.replaceChildren(
      ...texts.flatMap((text, at) => {
        const value = values[at];
        const mark = el("span.word", { tabindex: "0", title: `${words.signed(value, digits)} ${unit}`.trim() }, text,
          el("span.unseen", {}, ` ${words.signed(value, digits)} `));
        const colour = value < 0 ? minus() : plus();
        mark.style.backgroundColor = `${colour}${Math.round(90 * (Math.abs(value) / most)).toString(16).padStart(2, "0")}`;
        return [mark, " "];
      }),
    );
  }
  draw();
  const off = theme.onChange(draw);
  const legend = el("p.quiet", {}, words.t("explain.words_legend", { most: `${words.number(most, digits)} ${unit}`.trim() }));
  return { element: el("div.figure", {}, element, legend), dispose: off };
}
