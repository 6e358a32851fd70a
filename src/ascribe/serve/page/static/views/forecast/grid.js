// A map of cells: rows up the side, columns along the bottom, values as colours.
import { axis, chart, plain, tip } from "../../charts.js";
import { clipped } from "../../dom.js";
import { names, side } from "../explain/scale.js";

/**
 * `rows`, `columns`: texts; `values[row][column]` (null: no cell); `shade(colours)` -> (value) -> colour;
 * `tell(row, column, value)` -> lines; `below`: the name of the axis along the bottom; `rowPx`: height of a row.
 */
export function grid(context, { rows, columns, values, shade, tell, below, label, rowPx = 22 }) {
  const height = rows.length * rowPx + 56;
  return chart(context, { label, height, build: (colours, width) => {
    const { left, letters } = names(width);
    const paint = shade(colours);
    const cells = rows.flatMap((_, i) => columns.map((_, j) => [j, i, values[i][j]])).filter(([, , value]) => value !== null);
    return {
      grid: { left, right: 18, top: 8, height: rows.length * rowPx },
      xAxis: axis(colours, { type: "category", data: columns.map((_, at) => at), splitLine: { show: false }, name: below, nameLocation: "middle", nameGap: 28,
        axisLabel: { color: colours.quiet, fontSize: 11, hideOverlap: true, formatter: (at) => plain(clipped(columns[at], 22)) } }),
      yAxis: side(colours, rows.length, (at) => clipped(rows[at], letters), rowPx >= 16 ? {} : {
        axisLabel: { color: colours.text, fontSize: 12, hideOverlap: true, formatter: (at) => plain(clipped(rows[at], letters)) },
      }),
      tooltip: tip(colours, ({ dataIndex }) => tell(cells[dataIndex][1], cells[dataIndex][0], cells[dataIndex][2]), { trigger: "item" }),
      series: [{
        type: "custom",
        data: cells,
        encode: { x: 0, y: 1 },
        renderItem(params, api) {
          const [j, i, value] = cells[params.dataIndex];
          const [x, y] = api.coord([j, i]);
          const [wide, high] = api.size([1, 1]);
          const gap = columns.length <= 31 ? 1 : 0;
          return { type: "rect", shape: { x: x - wide / 2, y: y - high / 2, width: Math.max(wide - gap, 0.6), height: high - (rowPx >= 16 ? 1 : 0) }, style: { fill: paint(value) } };
        },
      }],
    };
  } });
}
