// What a host that did not answer could make of a row: the lowest and the highest margin, as the service says them.
import { axis, chart } from "../../charts.js";
import { below, decimals } from "../explain/scale.js";

const SAID = /margin between (\S+) and (\S+)$/;

/** The bounds in a row's reason, or null. */
export function boundsOf({ reason = "" }) {
  const [, low, high] = SAID.exec(reason)?.map(Number) ?? [];
  return Number.isFinite(low) && Number.isFinite(high) ? { low, high } : null;
}

export function boundsChart(context, { low, high }, unit, label) {
  const { words } = context;
  const digits = decimals([low, high]);
  return chart(context, { label, height: 92, build(colours, width) {
    const [first, last] = [Math.min(low, 0), Math.max(high, 0)];
    const pad = (last - first || 1) * 0.14;
    return {
      grid: { left: 18, right: 18, top: 26, bottom: 40 },
      xAxis: below(colours, unit, width, { min: first - pad, max: last + pad }),
      yAxis: axis(colours, { type: "category", data: [""], splitLine: { show: false } }),
      series: [{
        type: "custom",
        data: [[low, 0, high]],
        encode: { x: [0, 2], y: 1 },
        silent: true,
        renderItem(params, api) {
          const [x1, y] = api.coord([low, 0]);
          const [x2] = api.coord([high, 0]);
          const [zero] = api.coord([0, 0]);
          const text = (x, value, textAlign) => ({ type: "text", style: { x, y: y - 22, text: words.number(value, digits), textAlign, fill: colours.text, fontSize: 12 } });
          const apart = x2 - x1 > 120;
          return { type: "group", children: [
            { type: "line", shape: { x1: zero, y1: y - 12, x2: zero, y2: y + 12 }, style: { stroke: colours.quiet, lineWidth: 1, lineDash: [3, 3] } },
            { type: "rect", shape: { x: x1, y: y - 5, width: Math.max(2, x2 - x1), height: 10 }, style: { fill: colours.base } },
            text(x1, low, apart ? "left" : "right"), text(x2, high, apart ? "right" : "left"),
          ] };
        },
      }],
    };
  } });
}
