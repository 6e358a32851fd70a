// Rows along the bottom, features up the side, shares as colours; above it the prediction of each row.
import { axis, chart, plain, tip } from "../../charts.js";
import { clipped } from "../../dom.js";
import { between, decimals, names, side } from "./scale.js";

const ROW_PX = 20;
const LINE_PX = 70;
const AROUND_PX = 76;
const SHOWN = 16;
const MOST = 400; // rows that are drawn

/** `all`: [{name, prediction, shares}] in order. */
export function heatmap(context, players, all, unit, label) {
  const { words } = context;
  const shown = players.slice(0, SHOWN);
  const step = Math.max(1, Math.ceil(all.length / MOST));
  const rows = all.filter((_, at) => at % step === 0);
  const most = Math.max(...rows.flatMap((row) => shown.map(({ name }) => Math.abs(row.shares[name] ?? 0))), 1e-12);
  return {
    most,
    ...chart(context, {
      label, height: shown.length * ROW_PX + LINE_PX + AROUND_PX,
      build: (colours, width) => option(words, shown, rows, most, unit, colours, width),
    }),
  };
}

function option(words, shown, rows, most, unit, colours, width) {
  const { left, letters } = names(width);
  const shade = between(colours);
  const digits = decimals([most, ...rows.map(({ prediction }) => prediction)]);
  const cells = rows.flatMap((row, i) => shown.map(({ name }, j) => [i, j, row.shares[name] ?? 0]));
  const top = LINE_PX + 26;
  const grid = { left, right: 18 };
  const sides = { type: "category", data: rows.map((_, at) => at) };
  return {
    grid: [{ ...grid, top: top + 4, height: shown.length * ROW_PX }, { ...grid, top: 14, height: LINE_PX }],
    xAxis: [
      axis(colours, { ...sides, splitLine: { show: false }, name: words.t("explain.rows_axis"), nameLocation: "middle", nameGap: 24,
        axisLabel: { color: colours.quiet, fontSize: 11, hideOverlap: true, formatter: (at) => plain(clipped(rows[at].name, 10)) } }),
      axis(colours, { ...sides, gridIndex: 1, splitLine: { show: false }, axisLabel: { show: false } }),
    ],
    yAxis: [
      side(colours, shown.length, (at) => clipped(shown[at].name, letters)),
      axis(colours, { type: "value", scale: true, gridIndex: 1, splitNumber: 2, name: words.t("explain.prediction_axis", { unit }),
        nameLocation: "end", nameGap: 4, nameTextStyle: { color: colours.quiet, fontSize: 11, align: "right", padding: [0, 4, 0, 0] } }),
    ],
    tooltip: tip(colours, ({ seriesIndex, dataIndex }) => {
      if (seriesIndex === 1) return [clipped(rows[dataIndex].name, 40), `${words.number(rows[dataIndex].prediction, digits)} ${unit}`];
      const [i, j, value] = cells[dataIndex];
      return [clipped(rows[i].name, 40), `${clipped(shown[j].name, 60)} ${words.signed(value, digits)} ${unit}`];
    }, { trigger: "item" }),
    series: [
      {
        type: "custom",
        data: cells,
        encode: { x: 0, y: 1 },
        renderItem(params, api) {
          const [i, j, value] = cells[params.dataIndex];
          const [x, y] = api.coord([i, j]);
          const [wide, high] = api.size([1, 1]);
          return { type: "rect", shape: { x: x - wide / 2, y: y - high / 2, width: Math.max(wide, 0.6), height: high },
            style: { fill: shade(value / most) } };
        },
      },
      { type: "line", xAxisIndex: 1, yAxisIndex: 1, data: rows.map(({ prediction }) => prediction), showSymbol: rows.length < 3,
        lineStyle: { color: colours.strong, width: 1.4 }, itemStyle: { color: colours.strong } },
    ],
  };
}
