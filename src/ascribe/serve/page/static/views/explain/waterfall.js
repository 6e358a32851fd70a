// One row from its base to its prediction, and on to what was measured; error bars are one standard error.
import { axis, chart, plain, tip } from "../../charts.js";
import { clipped } from "../../dom.js";
import { errorBar } from "../now/over_time.js";
import { below, decimals, host, minus, names, plus } from "./scale.js";

const ROW_PX = 24;
const AROUND_PX = 50;
const SHOWN = 12;

/** [{kind, name, label, value, error, from, to}]: base, shares (the smallest together), prediction, unexplained,
 * measured. `kindOf(name)`: what a share is drawn as. */
export function stepsOf(words, answer, row, shares, labelled, kindOf = () => "share") {
  let level = row.base;
  const steps = [];
  const whole = (kind, value) => steps.push({ kind, name: words.t(`explain.${kind}`), label: words.t(`explain.${kind}`), value, error: 0, from: value, to: value });
  const part = (kind, name, label, value, error) => {
    steps.push({ kind, name, label, value, error, from: level, to: level + value });
    level += value;
  };
  whole("base", row.base);
  const shown = shares.length > SHOWN + 1 ? shares.slice(0, SHOWN) : shares;
  for (const { name, value, error } of shown) part(kindOf(name), name, labelled(name), value, error);
  const rest = shares.slice(shown.length);
  if (rest.length) {
    const name = words.t("explain.others", { count: rest.length });
    part("rest", name, name, rest.reduce((sum, one) => sum + one.value, 0), Math.hypot(...rest.map((one) => one.error)));
  }
  level = row.prediction;
  whole("prediction", row.prediction);
  if (Number.isFinite(row.measured)) {
    part("unexplained", words.t("explain.unexplained"), words.t("explain.unexplained"), row.measured - row.prediction, 0);
    whole("measured", row.measured);
  }
  return steps;
}

export const heightOf = (steps) => steps.length * ROW_PX + AROUND_PX;

export function waterfall(context, steps, unit, label) {
  const { words } = context;
  return chart(context, { label, height: heightOf(steps), build: (colours, width) => option(words, steps, unit, colours, width) });
}

const WHOLE = new Set(["base", "prediction", "measured"]);

function option(words, steps, unit, colours, width) {
  const digits = decimals(steps.map(({ value }) => value));
  const ends = steps.flatMap(({ from, to, error }) => [from, to, to - error, to + error]).filter(Number.isFinite);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const pad = (high - low || 1) * 0.06;
  const { left, letters } = names(width);
  const right = 74;
  const fill = ({ kind, value }) =>
    WHOLE.has(kind) ? colours.strong : kind === "unexplained" ? colours.residual : kind === "host" ? host() : value < 0 ? minus() : plus();
  return {
    grid: { left, right, top: 8, bottom: 40 },
    xAxis: below(colours, unit, width, { min: low - pad, max: high + pad }),
    yAxis: axis(colours, {
      type: "category", inverse: true, data: steps.map((_, at) => at), splitLine: { show: false },
      axisLabel: { color: colours.text, fontSize: 12, interval: 0, formatter: (at) => plain(clipped([...steps[at].label].length <= letters ? steps[at].label : steps[at].name, letters)) },
    }),
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
        const { kind, value, error } = steps[at];
        const [x1, y] = api.coord([api.value(1), at]);
        const [x2] = api.coord([api.value(2), at]);
        const whole = WHOLE.has(kind);
        const bar = whole
          ? { x: x1 - 1.5, y: y - 8, width: 3, height: 16 }
          : { x: Math.min(x1, x2), y: y - 8, width: Math.max(Math.abs(x2 - x1), 1), height: 16 };
        const edge = params.coordSys.x + params.coordSys.width + right - 4;
        const children = [
          { type: "rect", shape: bar, style: { fill: fill(steps[at]) } },
          { type: "text", style: { x: edge, y, text: whole ? words.number(value, digits) : words.signed(value, digits),
            textAlign: "right", textVerticalAlign: "middle", fill: colours.text, fontSize: 12, fontWeight: whole ? 600 : 400 } },
        ];
        if (at + 1 < steps.length)
          children.unshift({ type: "line", shape: { x1: x2, y1: y + 8, x2, y2: y + ROW_PX - 8 }, style: { stroke: colours.quiet, lineWidth: 1 } });
        if (error > 0) {
          const place = (sign) => api.coord([api.value(2) + sign * error, at]);
          children.push(errorBar(place(-1), place(1), colours.strong));
        }
        return { type: "group", children };
      },
    }],
  };
}
