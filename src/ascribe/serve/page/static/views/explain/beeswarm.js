// Every row's share of each feature as a point, coloured by the feature's own value: low to high of these rows.
import { chart, tip } from "../../charts.js";
import { clipped } from "../../dom.js";
import { below, decimals, minus, mixed, names, plus, side, styled, valueText } from "./scale.js";

const ROW_PX = 34;
const AROUND_PX = 50;
const SHOWN = 14;
const MOST = 400; // points of a feature that are drawn

/** `players`: ranked; `points(name)` -> [{row, share, value}]. */
export function beeswarm(context, players, points, unit, label, unitOf) {
  const { words } = context;
  const shown = players.slice(0, SHOWN).map(({ name }) => ({ name, ...swarm(points(name)) }));
  return chart(context, {
    label, height: shown.length * ROW_PX + AROUND_PX,
    build: (colours, width) => option(words, shown, unit, unitOf, colours, width),
  });
}

/** Points with a place across: those of a bin beside one another, never more than the row is high. */
function swarm(all) {
  const step = Math.max(1, Math.ceil(all.length / MOST));
  const points = all.filter((_, at) => at % step === 0);
  const shares = points.map(({ share }) => share);
  const [low, high] = [Math.min(...shares), Math.max(...shares)];
  const bins = new Map();
  for (const point of points) {
    const bin = Math.round((60 * (point.share - low)) / (high - low || 1));
    if (!bins.has(bin)) bins.set(bin, []);
    bins.get(bin).push(point);
  }
  const crowd = Math.max(...[...bins.values()].map((bin) => bin.length), 1);
  const spread = Math.min(0.8 / crowd, 0.14);
  for (const bin of bins.values())
    bin.forEach((point, at) => (point.across = spread * Math.ceil(at / 2) * (at % 2 ? 1 : -1)));
  const values = points.map(({ value }) => value).filter((value) => typeof value === "number" && Number.isFinite(value));
  const lowest = Math.min(...values);
  const span = Math.max(...values) - lowest;
  for (const point of points)
    point.high = typeof point.value === "number" && span > 0 ? (point.value - lowest) / span : null;
  return { points };
}

function option(words, shown, unit, unitOf, colours, width) {
  const { left, letters } = names(width);
  const data = shown.flatMap(({ points }, at) => points.map((point) => ({ ...point, at })));
  const digits = decimals(data.map(({ share }) => share));
  const [low, middle, top] = [minus(), styled("middle"), plus()];
  const colour = (high) => (high === null ? colours.quiet : high < 0.5
    ? mixed(low, middle, high * 2) : mixed(middle, top, high * 2 - 1));
  return {
    grid: { left, right: 18, top: 8, bottom: 40 },
    xAxis: below(colours, words.t("explain.share_axis", { unit }), width),
    yAxis: side(colours, shown.length, (at) => clipped(shown[at].name, letters), { splitLine: { show: true, lineStyle: { color: colours.line } } }),
    tooltip: tip(colours, ({ dataIndex }) => {
      const { at, share, value, row } = data[dataIndex];
      return [`${words.t("explain.row")} ${clipped(row, 40)}`, `${clipped(shown[at].name, 60)} ${valueText(words, value, unitOf(shown[at].name))}`,
        `${words.signed(share, digits)} ${unit}`];
    }, { trigger: "item" }),
    series: [{
      type: "custom",
      data: data.map(({ share, at }) => [share, at]),
      encode: { x: 0, y: 1 },
      renderItem(params, api) {
        const one = data[params.dataIndex];
        const [x, y] = api.coord([one.share, one.at]);
        return { type: "circle", shape: { cx: x, cy: y + one.across * ROW_PX, r: 3 }, style: { fill: colour(one.high), opacity: 0.9 } };
      },
    }],
  };
}
