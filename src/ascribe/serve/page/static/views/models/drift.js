// The last look at drift: the verdict, each column's shift, and the two histograms of the column that is looked at.
import { panel } from "../../blocks.js";
import { axis, chart, tip } from "../../charts.js";
import { clipped, el, named } from "../../dom.js";
import { folded, table } from "../../table.js";
import { below, decimals, minus, names, plus, side, styled, valueText } from "../explain/scale.js";

const ROW_PX = 22;
const AROUND_PX = 50;
const SHOWN = 15;
const WATCH = 0.1; // PSI, as in core/drifted.py
const DRIFTED = 0.25;

/** `drawn`: where drawings are left to be disposed of. */
export function drift(context, { report }, drawn) {
  const { words } = context;
  const element = panel(words.t("models.drift"));
  if (!report) {
    element.append(el("p.quiet", {}, words.t("models.no_drift")));
    return element;
  }
  const kind = { steady: "good", watch: "warn", drifted: "bad" }[report.word] ?? "";
  const columns = [...report.inputs].sort((a, b) => b.psi - a.psi);
  const chosen = el("select", { id: "drift-column", onchange: () => histogram() },
    ...columns.map((one, at) => el("option", { value: at }, clipped(one.name, 60))), el("option", { value: "prediction" }, words.t("models.predictions")));
  const place = el("div");
  const bars = chart(context, {
    label: words.t("models.drift_label"), height: Math.min(SHOWN, columns.length) * ROW_PX + AROUND_PX,
    build: (colours, width) => psi(words, columns.slice(0, SHOWN), colours, width),
  });
  drawn.push(bars);
  let now = null;

  function histogram() {
    const one = chosen.value === "prediction" ? report.predictions : columns[Number(chosen.value)];
    now?.dispose();
    now = chart(context, { label: words.t("models.histogram_label", { name: one.name }), height: 200, build: (colours, width) => histograms(words, one, colours, width) });
    drawn.push(now);
    place.replaceChildren(now.element);
  }
  if (columns.length) histogram();
  element.append(
    el("p", {}, el("span", { class: kind }, words.t(`models.drift_${report.word}`)), ` ${words.when(report.at)}. `, ...report.reasons.flatMap((reason) => [reason, " "])),
    el("p.quiet", {}, words.t("models.drift_rows", { before: report.before, now: report.now, left: report.left_out })),
    el("h3", {}, words.t("models.psi")), bars.element,
    el("div.row", {}, el("label", { for: chosen.id }, words.t("models.column")), chosen),
    el("ul.legend", {}, el("li", {}, el("span.swatch.before"), words.t("models.before")), el("li", {}, el("span.swatch.since"), words.t("models.since"))),
    place, folded(words, figures(words, columns), words.t("models.drift")),
  );
  return element;
}

function figures(words, columns) {
  return table(
    words.t("models.drift_table"),
    [{ label: words.t("models.column") }, { label: "PSI", numeric: true }, { label: words.t("models.outside"), numeric: true }, { label: words.t("models.mean_before"), numeric: true },
      { label: words.t("models.mean_now"), numeric: true }, { label: words.t("models.weight"), numeric: true }],
    columns.map((one) => [named(one.name, 50), words.number(one.psi, 3), `${words.number(100 * one.outside, 1)} %`, valueText(words, one.mean_before, one.unit),
      valueText(words, one.mean_now, one.unit), `${words.number(100 * one.weight, 1)} %`]),
  );
}

function psi(words, columns, colours, width) {
  const { left, letters } = names(width);
  const mark = (at, text) => ({ xAxis: at, label: { formatter: text, color: colours.quiet, fontSize: 11, position: "start", distance: 4 } });
  return {
    grid: { left, right: 30, top: 22, bottom: 36 },
    xAxis: below(colours, words.t("models.psi_axis"), width, { min: 0, max: Math.max(DRIFTED * 1.3, ...columns.map(({ psi: value }) => value * 1.05)) }),
    yAxis: side(colours, columns.length, (at) => clipped(columns[at].name, letters)),
    tooltip: tip(colours, ({ dataIndex }) => [clipped(columns[dataIndex].name, 60), `PSI ${words.number(columns[dataIndex].psi, 3)}`], { trigger: "item" }),
    series: [{
      type: "bar", barWidth: 12,
      data: columns.map(({ psi: value }) => ({ value, itemStyle: { color: value >= DRIFTED ? plus() : value >= WATCH ? styled("watch") : minus() } })),
      markLine: { silent: true, symbol: "none", lineStyle: { color: colours.quiet, type: "dashed" }, data: [mark(WATCH, words.t("models.mark_watch")), mark(DRIFTED, words.t("models.mark_drifted"))] },
    }],
  };
}

function histograms(words, one, colours, width) {
  const digits = decimals(one.edges);
  const middle = one.edges.slice(1).map((edge, at) => (edge + one.edges[at]) / 2);
  const line = (values, colour, filled) => ({
    type: "line", step: "middle", symbol: "none", data: values.map((value, at) => [middle[at], 100 * value]), lineStyle: { color: colour, width: 1.6 },
    ...(filled ? { areaStyle: { color: colour, opacity: 0.18 } } : {}),
  });
  return {
    grid: { left: 52, right: 18, top: 24, bottom: 40 },
    xAxis: below(colours, one.unit && one.unit !== "1" ? `${clipped(one.name, 40)}, ${one.unit}` : clipped(one.name, 40), width, { min: one.edges[0], max: one.edges.at(-1) }),
    yAxis: axis(colours, { type: "value", name: words.t("models.percent_rows"), nameTextStyle: { color: colours.quiet, fontSize: 11, align: "left", padding: [0, 0, 0, -40] }, splitNumber: 3 }),
    tooltip: tip(colours, (params) => [words.number(params[0].value[0], digits), ...params.map(({ seriesIndex, value }) => `${words.t(seriesIndex ? "models.since" : "models.before")} ${words.number(value[1], 1)} %`)], { trigger: "axis" }),
    series: [line(one.shares_before, colours.base, true), line(one.shares_now, plus(), false)],
  };
}
