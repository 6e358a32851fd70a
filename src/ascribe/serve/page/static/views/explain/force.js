// One row as forces on one line: what raises the prediction from the left, what lowers it from the right.
import { chart, plain, tip } from "../../charts.js";
import { clipped } from "../../dom.js";
import { below, decimals, minus, plus } from "./scale.js";

const HEIGHT = 150;
const LEAST_PX = 46; // of a force that has its name written below

export function force(context, row, shares, unit, label, labelled) {
  const { words } = context;
  return chart(context, { label, height: HEIGHT, build: (colours, width) => option(words, row, shares, unit, labelled, colours, width) });
}

/** Raising ones end at the prediction, lowering ones begin there; the largest are next to it. */
function segments(row, shares) {
  const found = [];
  for (const raising of [true, false]) {
    let at = row.prediction;
    for (const { name, value } of shares.filter((one) => (raising ? one.value > 0 : one.value < 0))) {
      const next = at - value;
      found.push({ name, value, raising, from: next, to: at });
      at = next;
    }
  }
  return found;
}

function option(words, row, shares, unit, labelled, colours, width) {
  const parts = segments(row, shares);
  const digits = decimals(parts.length ? parts.map(({ value }) => value) : [row.prediction]);
  const ends = [row.base, row.prediction, ...parts.flatMap(({ from, to }) => [from, to])];
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const pad = (high - low || 1) * 0.04;
  return {
    grid: { left: 16, right: 16, top: 44, bottom: 40 },
    xAxis: below(colours, unit, width, { min: low - pad, max: high + pad }),
    yAxis: { type: "value", min: -1, max: 1, show: false },
    tooltip: tip(colours, ({ seriesIndex, dataIndex }) => {
      if (seriesIndex) return [`${words.t("explain.base")} ${words.number(row.base, digits)} ${unit}`];
      const { name, value } = parts[dataIndex];
      return [clipped(labelled(name), 70), `${words.signed(value, digits)} ${unit}`];
    }, { trigger: "item" }),
    series: [
      {
        type: "custom",
        data: parts.map(({ from, to }, at) => [from, to, at]),
        encode: { x: [0, 1] },
        renderItem(params, api) {
          const { name, raising } = parts[api.value(2)];
          const [x1, y] = api.coord([api.value(0), 0.35]);
          const [x2] = api.coord([api.value(1), 0.35]);
          const [left, right] = [Math.min(x1, x2), Math.max(x1, x2)];
          const tipX = Math.min(6, (right - left) / 2);
          const points = raising
            ? [[left, y - 12], [right - tipX, y - 12], [right, y], [right - tipX, y + 12], [left, y + 12], [left + tipX, y]]
            : [[left, y], [left + tipX, y - 12], [right, y - 12], [right - tipX, y], [right, y + 12], [left + tipX, y + 12]];
          const children = [{ type: "polygon", shape: { points }, style: { fill: raising ? plus() : minus(), stroke: colours.ground, lineWidth: 1 } }];
          if (right - left > LEAST_PX)
            children.push({ type: "text", style: { x: (left + right) / 2, y: y + 18, text: plain(clipped(name, Math.floor((right - left) / 6.6))),
              textAlign: "center", textVerticalAlign: "top", fill: colours.text, fontSize: 11 } });
          return { type: "group", children };
        },
      },
      {
        type: "custom",
        data: [[row.prediction, 1], [row.base, 0]],
        encode: { x: 0 },
        renderItem(params, api) {
          const predicted = api.value(1) === 1;
          const [x, top] = api.coord([api.value(0), 1]);
          const [, bottom] = api.coord([api.value(0), -1]);
          const { x: start, width: room } = params.coordSys;
          const side = x > start + room / 2 ? "right" : "left";
          const text = `${words.t(predicted ? "explain.prediction" : "explain.base")} ${words.number(api.value(0), digits)}`;
          return { type: "group", children: [
            { type: "line", shape: { x1: x, y1: top - (predicted ? 18 : 2), x2: x, y2: bottom },
              style: { stroke: predicted ? colours.strong : colours.quiet, lineWidth: 1, lineDash: predicted ? null : [4, 3] } },
            { type: "text", style: { x: side === "right" ? x - 4 : x + 4, y: top - (predicted ? 30 : 14), text, textAlign: side,
              fill: predicted ? colours.text : colours.quiet, fontSize: 12, fontWeight: predicted ? 600 : 400 } },
          ] };
        },
      },
    ],
  };
}
