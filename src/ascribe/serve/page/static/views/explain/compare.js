// Two answers for the same rows beside one another: shares of a row, their difference, and how far the orders agree.
import { chart, errorBar, tip } from "../../charts.js";
import { clipped, el, named } from "../../dom.js";
import { rankCorrelation } from "../../ranks.js";
import { folded, table } from "../../table.js";
import { answered } from "./answer.js";
import { below, decimals, names, side, styled } from "./scale.js";

const ROW_PX = 30;
const AROUND_PX = 50;
const SHOWN = 12;

/** Players of both, those of the first in order. */
function shared(first, second) {
  const held = new Set(second.told.features);
  return first.told.features.filter((name) => held.has(name));
}

/** Over all rows that both answered: {rows, rank: mean correlation of sizes, top: share of the three largest in common, most: largest difference}. */
function agreement(first, second) {
  const players = shared(first, second);
  const found = { rows: 0, rank: null, top: null, most: 0 };
  const rank = [];
  const top = [];
  first.rows.forEach((row, at) => {
    const other = second.rows[at];
    if (!other || !answered(row) || !answered(other)) return;
    found.rows += 1;
    const [a, b] = [row, other].map((one) => players.map((name) => one.attribution_shares[name] ?? 0));
    const r = rankCorrelation(a.map(Math.abs), b.map(Math.abs));
    if (r !== null) rank.push(r);
    const three = (values) => new Set(values.map((value, k) => [Math.abs(value), k]).sort((x, y) => y[0] - x[0]).slice(0, 3).map(([, k]) => k));
    const both = [...three(a)].filter((k) => three(b).has(k)).length;
    top.push(both / Math.min(3, players.length));
    a.forEach((value, k) => (found.most = Math.max(found.most, Math.abs(value - b[k]))));
  });
  const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);
  return { ...found, rank: mean(rank), top: mean(top) };
}

/** A panel for the row `at`. `called`: names of the two answers. */
export function comparison(context, first, second, at, called) {
  const { words } = context;
  const unit = first.told.unit;
  const [one, other] = [first.rows[at], second.rows[at]];
  const agreed = agreement(first, second);
  const digits = decimals([agreed.most, ...Object.values(one.attribution_shares ?? {})]);
  const rows = shared(first, second)
    .map((name) => ({
      name,
      a: one.attribution_shares?.[name] ?? null, b: other.attribution_shares?.[name] ?? null,
      ea: one.stderr?.[name] ?? 0, eb: other.stderr?.[name] ?? 0,
    }))
    .sort((x, y) => Math.max(Math.abs(y.a), Math.abs(y.b)) - Math.max(Math.abs(x.a), Math.abs(x.b)));
  const percent = (value) => (value === null ? "–" : `${words.number(100 * value, 0)} %`);
  const figures = el(
    "dl.figures", {},
    ...[
      ["explain.compared_rows", String(agreed.rows)],
      ["explain.compared_rank", agreed.rank === null ? "–" : words.number(agreed.rank, 3)],
      ["explain.compared_top", percent(agreed.top)],
      ["explain.compared_most", `${words.number(agreed.most, digits)} ${unit}`],
    ].map(([key, text]) => el("div", {}, el("dt", {}, words.t(key)), el("dd", {}, text))),
  );
  const shown = rows.slice(0, SHOWN).filter(({ a, b }) => a !== null && b !== null);
  const drawing = chart(context, {
    label: words.t("explain.compared_label", { first: called[0], second: called[1] }),
    height: Math.max(1, shown.length) * ROW_PX + AROUND_PX,
    build: (colours, width) => option(words, shown, unit, called, digits, colours, width),
  });
  const legend = el("ul.legend", {}, ...called.map((text, k) => el("li", {}, el(`span.swatch.compared-${k}`), named(text, 80))));
  const text = (value) => (value === null ? "–" : words.signed(value, digits));
  const made = table(
    words.t("explain.compared"),
    [{ label: words.t("explain.feature") }, { label: `${called[0]}, ${unit}`, numeric: true }, { label: `${called[1]}, ${unit}`, numeric: true },
      { label: words.t("explain.difference"), numeric: true }],
    rows.map(({ name, a, b }) => [named(name, 48), text(a), text(b), a === null || b === null ? "–" : words.signed(b - a, digits)]),
  );
  const element = el("div.figure", {}, figures, legend, drawing.element, folded(words, made, words.t("explain.compared")));
  return { element, drawing };
}

function option(words, rows, unit, called, digits, colours, width) {
  const { left, letters } = names(width);
  const most = Math.max(...rows.flatMap(({ a, b, ea, eb }) => [Math.abs(a) + ea, Math.abs(b) + eb]), 1e-9) * 1.06;
  const fills = [styled("one"), styled("two")];
  return {
    grid: { left, right: 18, top: 8, bottom: 40 },
    xAxis: below(colours, words.t("explain.share_axis", { unit }), width, { min: -most, max: most }),
    yAxis: side(colours, rows.length, (at) => clipped(rows[at].name, letters), { axisLine: { show: true, onZero: true, lineStyle: { color: colours.quiet } } }),
    tooltip: tip(colours, ({ dataIndex }) => {
      const { name, a, b } = rows[dataIndex];
      return [clipped(name, 60), `${clipped(called[0], 60)} ${words.signed(a, digits)} ${unit}`, `${clipped(called[1], 60)} ${words.signed(b, digits)} ${unit}`];
    }, { trigger: "item" }),
    series: [{
      type: "custom",
      data: rows.map(({ a, b }, at) => [at, a, b]),
      encode: { y: 0, x: [1, 2] },
      renderItem(params, api) {
        const row = rows[params.dataIndex];
        const children = [row.a, row.b].flatMap((value, k) => {
          const [x0, y] = api.coord([0, params.dataIndex]);
          const [x1] = api.coord([value, params.dataIndex]);
          const middle = y + (k ? 6 : -6);
          const bar = { type: "rect", shape: { x: Math.min(x0, x1), y: middle - 5, width: Math.max(Math.abs(x1 - x0), 1), height: 10 }, style: { fill: fills[k] } };
          const error = k ? row.eb : row.ea;
          if (!(error > 0)) return [bar];
          const end = (sign) => [api.coord([value + sign * error, params.dataIndex])[0], middle];
          return [bar, errorBar(end(-1), end(1), colours.strong)];
        });
        return { type: "group", children };
      },
    }],
  };
}
