// Watts over time, drawn so that they add up: above the base stands what adds, below it what takes away.
//
//   base + (bands above) - (bands below) = measured        bands: every group, and what is unexplained
//
// Bands are measured from the base and not from zero, so the axis need not begin there.
import { axis, chart, errorBar, tip } from "../../charts.js";
import { clipped, el } from "../../dom.js";
import { folded, table } from "../../table.js";
import { colourOf, key } from "./colours.js";
import { groupName } from "./nodes.js";

const GAP = 5; // times the usual distance of two moments: then nothing is drawn between them,
const LEAST_GAP_US = 30e6; // as the service bridges no more than this in energy
const WHISKERS = 16; // of each band, at most
const ROWS = 40; // of the table

export function createOverTime(context, nodes, history, picked) {
  const { words, theme } = context;
  const errors = el("span");
  const legend = el("ul.legend");
  const numbers = el("div");
  const drawing = chart(context, {
    label: () => words.t("now.over_time_label", { count: history.t_us.length }),
    height: 300,
    build: (colours, width) => option(words, history, picked, colours, width),
    onPick: ([ms]) => picked.pick(ms),
  });
  const element = el(
    "figure.figure", {},
    el("figcaption", {}, el("h3", {}, words.t("now.over_time")), el("p.quiet", {}, words.t("now.over_time_how"), errors)),
    legend, drawing.element, picked.element, numbers,
  );

  function draw() {
    element.hidden = !history.t_us.length;
    if (element.hidden) return;
    drawing.update();
    errors.textContent = words.t(nodes.bound ? "now.over_time_bounds" : "now.over_time_errors");
    const colours = theme.colours;
    legend.replaceChildren(
      key("line", colours.strong, words.t("now.measured")), key("dashed", colours.strong, words.t("now.predicted")),
      ...groupsOf(history).map((g, at) => key("band", colourOf(colours, at), groupName(words, g))),
      key("residual", colours.residual, words.t("now.unexplained")),
    );
    const open = numbers.querySelector("details")?.open;
    if (!numbers.firstChild) {
      const made = folded(words, el("div"), words.t("now.over_time"));
      made.addEventListener("toggle", () => made.open && fill(made));
      numbers.append(made);
    } else if (open) fill(numbers.firstChild);
  }

  function fill(made) {
    made.querySelector(".scrolled").replaceChildren(columns(words, history));
  }

  return { element, draw, close: drawing.dispose };
}

export function groupsOf(history) {
  return Object.keys(history.groups);
}

/** Whole milliseconds: the library rounds the places of marks, and drops those that then lie outside. */
const ms = (us) => Math.round(us / 1000);

/** Rows at which nothing is drawn are put where moments are far apart. */
function places(t_us) {
  const steps = t_us.slice(1).map((t, at) => t - t_us[at]).sort((a, b) => a - b);
  const usual = steps[Math.floor(steps.length / 2)] ?? 0;
  const found = [];
  t_us.forEach((t, at) => {
    const gap = Math.max(GAP * usual, LEAST_GAP_US);
    if (at && t - t_us[at - 1] > gap) found.push({ ms: ms(t_us[at - 1] + usual), at: null });
    found.push({ ms: ms(t), at });
  });
  return found;
}

function option(words, history, picked, colours, width) {
  if (!history.t_us.length) return {};
  const spots = places(history.t_us);
  const names = groupsOf(history);
  const first = history.bases_w.find(Number.isFinite);
  const bands = [
    ...names.map((name, at) => ({ name, values: history.groups[name], colour: colourOf(colours, at) })),
    { name: words.t("now.unexplained"), values: history.unexplained_w, colour: colours.residual, faint: true },
  ];
  const column = (of) => spots.map((spot) => [spot.ms, spot.at === null ? null : of(spot.at)]);
  const line = (name, of, lineStyle, more = {}) => ({
    name, type: "line", data: column(of), symbol: "none", lineStyle, z: 5, connectNulls: false, ...more,
  });
  const floor = (stack) => line("", (at) => history.bases_w[at], { opacity: 0 }, { stack, stackStrategy: "all", silent: true, z: 1 });
  const stacked = (stack, keep) => bands.map(({ name, values, colour, faint }) =>
    line(name, (at) => keep(values[at] ?? 0), { width: 0.8, color: colours.ground }, {
      stack, stackStrategy: "all", z: 2, itemStyle: { color: colour },
      areaStyle: { color: colour, opacity: faint ? 0.4 : 0.85 },
    }));
  const marks = [["A", picked.since], ["B", picked.at]].filter(([, at]) => at >= 0);
  return {
    grid: { left: 52, right: 16, top: 26, bottom: 26 },
    xAxis: axis(colours, {
      type: "time", min: "dataMin", max: "dataMax", splitLine: { show: false }, axisLine: { show: true, lineStyle: { color: colours.line } },
      splitNumber: width < 500 ? 3 : 8, axisLabel: { color: colours.quiet, fontSize: 11, hideOverlap: true },
    }),
    yAxis: axis(colours, { type: "value", scale: true, name: history.unit, nameGap: 10, nameTextStyle: { align: "right", padding: [0, 12, 0, 0], color: colours.quiet } }),
    tooltip: tip(colours, (params) => equation(words, history, nearestOf(params, history)), {
      trigger: "axis", axisPointer: { type: "line", lineStyle: { color: colours.quiet }, animation: false },
    }),
    series: [
      floor("up"), ...stacked("up", (value) => Math.max(value, 0)),
      floor("down"), ...stacked("down", (value) => Math.min(value, 0)),
      whiskers(history, bands, colours),
      line("base", (at) => history.bases_w[at], { color: colours.text, width: 1 }, {
        z: 4,
        markLine: {
          symbol: "none", silent: true, animation: false,
          lineStyle: { color: colours.quiet, type: "solid", width: 1 },
          label: { color: colours.text, fontSize: 11, position: "end", formatter: "{b}" },
          data: marks.map(([name, at]) => ({ name, xAxis: ms(history.t_us[at]) })),
        },
        markPoint: {
          symbol: "circle", symbolSize: 0.01, silent: true,
          label: { show: true, position: "insideBottomLeft", align: "left", distance: 4, color: colours.text, fontSize: 11,
            backgroundColor: colours.ground, padding: [2, 3], formatter: `${words.t("now.base")} ${words.number(first)}` },
          data: Number.isFinite(first) ? [{ coord: [spots[0].ms, first] }] : [],
        },
      }),
      line("prediction", (at) => history.prediction_w[at], { color: colours.strong, width: 1, type: [3, 3] }),
      line("measured", (at) => history.measured_w[at], { color: colours.strong, width: 1.4 }, { z: 6 }),
    ],
  };
}

/** Standard errors: a line through the outer edge of each band, as long as twice the error of its own group. */
function whiskers(history, bands, colours) {
  const every = Math.max(1, Math.ceil(history.t_us.length / WHISKERS));
  const data = [];
  const joined = (spot, at) => spot?.at === at; // a moment by itself has no band
  const spots = places(history.t_us).filter(({ at }, k, all) => at !== null && (joined(all[k - 1], at - 1) || joined(all[k + 1], at + 1)));
  for (let k = Math.floor(every / 2); k < spots.length; k += every) {
    const { at } = spots[k];
    let [up, down] = [history.bases_w[at], history.bases_w[at]];
    for (const { name, values } of bands) {
      const value = values[at] ?? 0;
      if (value >= 0) up += value;
      else down += value;
      const error = history.stderr_w[name]?.[at];
      const edge = value >= 0 ? up : down;
      if (error > 0) data.push([ms(history.t_us[at]), edge - error, edge + error]);
    }
  }
  return {
    type: "custom", data, z: 4, silent: true, encode: { x: 0, y: [1, 2] }, tooltip: { show: false },
    renderItem: (_, api) => errorBar(api.coord([api.value(0), api.value(1)]), api.coord([api.value(0), api.value(2)]), colours.strong),
  };
}

function nearestOf(params, history) {
  return params.length ? history.nearest(params[0].axisValue * 1000) : -1;
}

/** The sum at a moment, a line for each term. */
function equation(words, history, at) {
  if (at < 0) return [];
  const one = history.at(at);
  return [
    words.time(one.timestamp_us),
    `${words.t("now.base")}  ${words.number(one.base_w)}`,
    ...Object.entries(one.groups).map(([g, value]) => `${clipped(groupName(words, g))}  ${words.signed(value)}`),
    `= ${words.t("now.predicted")}  ${words.number(one.prediction_w)}`,
    ...(one.unexplained_w === null ? [] : [
      `${words.t("now.unexplained")}  ${words.signed(one.unexplained_w)}`,
      `= ${words.t("now.measured")}  ${words.number(one.measured_w)} ${history.unit}`,
    ]),
  ];
}

function columns(words, history) {
  const names = groupsOf(history);
  const every = Math.max(1, Math.ceil(history.t_us.length / ROWS));
  const rows = [];
  for (let at = history.t_us.length - 1; at >= 0; at -= every) {
    const one = history.at(at);
    rows.push([
      words.time(one.timestamp_us), words.number(one.base_w), ...names.map((g) => words.signed(one.groups[g])),
      words.number(one.prediction_w), words.signed(one.unexplained_w), words.number(one.measured_w),
    ]);
  }
  const heads = ["time", "base", ...names, "predicted", "unexplained", "measured"];
  const label = (head, at) => (at > 1 && at < 2 + names.length ? clipped(groupName(words, head), 28) : words.t(`now.${head}`));
  return table(
    words.t("now.over_time_table", { unit: history.unit, count: rows.length }),
    heads.map((head, at) => ({ label: label(head, at), numeric: at > 0 })), rows,
  );
}
