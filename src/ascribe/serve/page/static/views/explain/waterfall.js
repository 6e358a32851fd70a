// From a base to a prediction, and on to what was measured: a step for each part; error bars are one standard error.
import { chart, errorBar, tip } from "../../charts.js";
import { clipped } from "../../dom.js";
import { below, decimals, names, side } from "./scale.js";

const ROW_PX = 24;
const AROUND_PX = 50;
const HALF_PX = 8; // of a bar's height
const RIGHT_PX = 74; // at least, where the numbers stand
const DIGIT_PX = 7.2;

/**
 * [{kind, whole, name, label, value, error, from, to}]: base, `parts` ({kind, name, label, value, error}), predicted,
 * and where something was measured, unexplained and measured. `called(kind)`: the name of what is no part.
 */
export function stepsOf(called, { base, prediction, unexplained, measured }, parts) {
  let level = base;
  const whole = (kind, value) => ({ kind, whole: true, name: called(kind), label: called(kind), value, error: 0, from: value, to: value });
  const step = (part) => ({ whole: false, label: part.name, ...part, from: level, to: (level += part.value) });
  const steps = [whole("base", base), ...parts.map(step), whole("predicted", prediction)];
  if (!Number.isFinite(measured)) return steps;
  level = prediction;
  return [...steps, step({ kind: "unexplained", name: called("unexplained"), value: unexplained, error: 0 }), whole("measured", measured)];
}

/** `held()` -> {steps, unit, digits}, asked for with each drawing; `fill(step, colours)`; `most`: pixels for names. */
export function waterfall(context, { label, held, fill, most }) {
  return chart(context, {
    label, height: () => held().steps.length * ROW_PX + AROUND_PX,
    build: (colours, width) => option(context.words, held(), (step) => (step.whole ? colours.strong : fill(step, colours)), colours, width, most),
  });
}

/** Decimals that tell parts apart, however large what they lead to is. */
function apart(steps) {
  const parts = steps.filter(({ whole, value }) => !whole && value);
  return decimals((parts.length ? parts : steps).map(({ value }) => value));
}

function option(words, { steps, unit, digits = apart(steps) }, fill, colours, width, most) {
  const ends = steps.flatMap(({ from, to, error }) => [from, to, to - error, to + error]).filter(Number.isFinite);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const pad = (high - low || 1) * 0.06;
  const { left, letters } = names(width, most);
  const number = ({ whole, value }) => (whole ? words.number(value, digits) : words.signed(value, digits));
  const right = Math.max(RIGHT_PX, 10 + DIGIT_PX * Math.max(...steps.map((step) => number(step).length)));
  const written = ({ label, name }) => clipped([...label].length <= letters ? label : name, letters);
  return {
    grid: { left, right, top: 8, bottom: 40 },
    xAxis: below(colours, unit, width, { min: low - pad, max: high + pad }),
    yAxis: side(colours, steps.length, (at) => written(steps[at])),
    tooltip: tip(colours, ({ dataIndex }) => {
      const { label, value, error } = steps[dataIndex];
      return [clipped(label, 70), `${words.number(value, digits)} ${unit}${error ? ` ± ${words.number(error, digits)}` : ""}`];
    }, { trigger: "item" }),
    series: [{
      type: "custom",
      data: steps.map(({ from, to }, at) => [at, from, to]),
      encode: { y: 0, x: [1, 2] },
      renderItem(params, api) {
        const at = api.value(0);
        const { whole, error } = steps[at];
        const [x1, y] = api.coord([api.value(1), at]);
        const [x2] = api.coord([api.value(2), at]);
        const bar = whole ? { x: x1 - 1.5, width: 3 } : { x: Math.min(x1, x2), width: Math.max(Math.abs(x2 - x1), 1) };
        const edge = params.coordSys.x + params.coordSys.width + right - 4;
        const children = [
          { type: "rect", shape: { ...bar, y: y - HALF_PX, height: 2 * HALF_PX }, style: { fill: fill(steps[at]) } },
          { type: "text", style: { x: edge, y, text: number(steps[at]),
            textAlign: "right", textVerticalAlign: "middle", fill: colours.text, fontSize: 12, fontWeight: whole ? 600 : 400 } },
        ];
        if (at + 1 < steps.length)
          children.unshift({ type: "line", shape: { x1: x2, y1: y + HALF_PX, x2, y2: y + ROW_PX - HALF_PX }, style: { stroke: colours.quiet, lineWidth: 1 } });
        if (error > 0) {
          const place = (sign) => api.coord([api.value(2) + sign * error, at]);
          children.push(errorBar(place(-1), place(1), colours.strong));
        }
        return { type: "group", children };
      },
    }],
  };
}
