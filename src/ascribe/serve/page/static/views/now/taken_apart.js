// One moment taken apart: a waterfall from the base to what was measured, the same numbers in a table, each counter, and
// a sentence. All of it is one answer of the service, so that it is of one moment.
import { axis, chart, plain, tip } from "../../charts.js";
import { clipped, el, named } from "../../dom.js";
import { folded, table } from "../../table.js";
import { failure } from "../../told.js";
import { colourOf } from "./colours.js";
import { groupName, parts } from "./nodes.js";
import { errorBar, groupsOf } from "./over_time.js";

const ROW_PX = 24;
const AROUND_PX = 46;
const ASKED_MS = 2000; // while the newest is followed; what is chosen by hand is asked for at once

export function createTaken(context, nodes, name, history, picked) {
  const { words, api } = context;
  let one = null;
  let steps = [];
  let drawing = null;
  let height = 0;
  let asked = null;
  let askedAt = -Infinity;
  let closed = false;
  const title = el("h3");
  const said = el("p.sentence");
  const place = el("div");
  const numbers = el("div");
  const body = el("div.pair", { hidden: true }, place, numbers);
  const counters = folded(words, el("div"), words.t("now.counters"), words.t("now.each"));
  const problem = el("div");
  const element = el("figure.figure", {}, el("figcaption", {}, title), problem, said, body, counters);
  counters.addEventListener("toggle", list);

  async function draw() {
    element.parentElement?.toggleAttribute("hidden", picked.at < 0);
    const at = history.t_us[picked.at];
    if (picked.at < 0 || at === asked) return;
    if (picked.following && performance.now() - askedAt < ASKED_MS) return;
    asked = at;
    askedAt = performance.now();
    try {
      const got = await api.get(`/v1/nodes/${encodeURIComponent(name)}/moment`, {
        model: nodes.model, at, language: words.language,
      });
      if (closed || asked !== at) return;
      problem.replaceChildren();
      show(got);
    } catch (error) {
      if (!closed && asked === at) problem.replaceChildren(failure(words, error));
    }
  }

  function show(got) {
    one = got;
    title.textContent = words.t("now.taken_apart", { time: words.moment(one.timestamp_us) })
      + (one.mean_s ? ` (${words.t("now.mean_of", { seconds: one.mean_s })})` : "");
    said.textContent = one.sentence;
    body.hidden = !Number.isFinite(one.prediction_w);
    list();
    if (body.hidden) return;
    steps = stepsOf(words, one);
    numbers.replaceChildren(figures(words, steps, one.unit, nodes.bound));
    const wanted = steps.length * ROW_PX + AROUND_PX;
    if (height !== wanted) {
      drawing?.dispose();
      height = wanted;
      drawing = chart(context, {
        label: () => words.t("now.taken_apart_label"),
        height,
        build: (colours, width) => waterfall(words, steps, one.unit, groupsOf(history), colours, width),
      });
      place.replaceChildren(drawing.element);
    }
    drawing.update();
  }

  function list() {
    if (counters.open && one) counters.querySelector(".scrolled").replaceChildren(countersOf(words, one));
  }

  return {
    element,
    draw,
    close() {
      closed = true;
      drawing?.dispose();
    },
  };
}

function countersOf(words, one) {
  const value = (feature) => (feature.value === null ? "–" : words.compact(feature.value));
  return table(
    words.t("now.counters"),
    [
      { label: words.t("now.feature") }, { label: words.t("now.group") }, { label: words.t("now.value"), numeric: true },
      { label: words.t("now.in_unit") }, { label: one.unit, numeric: true }, { label: words.t("now.stderr"), numeric: true },
    ],
    one.features.map((feature) => [
      named(feature.name, 48), named(groupName(words, feature.group), 28), value(feature), feature.unit,
      words.signed(feature.share_w), feature.stderr_w === null ? "" : `± ${words.number(feature.stderr_w)}`,
    ]),
    "counters",
  );
}

/** base -> each group, largest first -> predicted -> unexplained -> measured: {kind, name, value, error, from, to}. */
export function stepsOf(words, one) {
  let level = one.base_w;
  const step = (kind, name, value, error = null) => {
    const from = level;
    level += value;
    return { kind, name, value, error, from, to: level };
  };
  const total = (kind, value) => ({ kind, name: words.t(`now.${kind}`), value, error: null, from: value, to: value });
  const found = [total("base", one.base_w)];
  for (const [group, value, error] of parts(one))
    found.push({ ...step("group", groupName(words, group), value, error), group });
  found.push(total("predicted", one.prediction_w));
  level = one.prediction_w;
  if (Number.isFinite(one.unexplained_w)) {
    found.push(step("unexplained", words.t("now.unexplained"), one.unexplained_w));
    found.push(total("measured", one.measured_w));
  }
  return found;
}

function figures(words, steps, unit, bound) {
  const rows = steps.map(({ kind, name, value, error }) => {
    const whole = kind === "group" || kind === "unexplained" ? null : kind;
    const label = kind === "group" ? named(name, 32) : `${whole === "predicted" || whole === "measured" ? "= " : ""}${name}`;
    return [label, whole ? words.number(value) : words.signed(value), error === null ? "" : `± ${words.number(error)}`];
  });
  const made = table(
    words.t("now.sum"),
    [{ label: words.t("now.part") }, { label: unit, numeric: true }, { label: words.t(bound ? "now.bound" : "now.stderr"), numeric: true }],
    rows, "sum",
  );
  steps.forEach(({ kind, group }, at) => Object.assign(made.tBodies[0].rows[at].dataset, { kind, part: group ?? kind }));
  return made;
}

function waterfall(words, steps, unit, order, colours, width) {
  const ends = steps.flatMap(({ from, to, error }) => [from, to, to - (error ?? 0), to + (error ?? 0)]).filter(Number.isFinite);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const pad = (high - low || 1) * 0.06;
  const left = Math.min(170, Math.round(width * 0.34));
  const right = 66; // where the numbers stand
  const colour = ({ kind, group }) =>
    kind === "unexplained" ? colours.residual : kind !== "group" ? colours.strong : colourOf(colours, order.indexOf(group));
  return {
    grid: { left, right, top: 8, bottom: 36 },
    xAxis: axis(colours, {
      type: "value", min: low - pad, max: high + pad, name: unit, nameLocation: "middle", nameGap: 22,
      splitNumber: width < 500 ? 3 : 6, axisLabel: { color: colours.quiet, fontSize: 11, hideOverlap: true, showMinLabel: false, showMaxLabel: false },
    }),
    yAxis: axis(colours, {
      type: "category", inverse: true, data: steps.map(({ name }) => plain(name)), splitLine: { show: false },
      axisLabel: { color: colours.text, fontSize: 12, interval: 0, formatter: (name) => clipped(name, Math.floor((left - 12) / 6.6)) },
    }),
    tooltip: tip(colours, ({ dataIndex }) => {
      const { name, value, error } = steps[dataIndex];
      return [clipped(name, 60), `${words.number(value)} ${unit}${error === null ? "" : ` ± ${words.number(error)}`}`];
    }, { trigger: "item" }),
    series: [{
      type: "custom",
      data: steps.map((step, at) => [at, step.from, step.to]),
      encode: { y: 0, x: [1, 2] },
      renderItem(params, api) {
        const at = api.value(0);
        const { kind, error, value } = steps[at];
        const [x1, y] = api.coord([api.value(1), at]);
        const [x2] = api.coord([api.value(2), at]);
        const half = 8;
        const style = { fill: colour(steps[at]) };
        const whole = kind !== "group" && kind !== "unexplained";
        const bar = whole
          ? { x: x1 - 1.5, y: y - half, width: 3, height: 2 * half }
          : { x: Math.min(x1, x2), y: y - half, width: Math.max(Math.abs(x2 - x1), 1), height: 2 * half };
        const edge = params.coordSys.x + params.coordSys.width + right - 4;
        const children = [
          { type: "rect", shape: bar, style },
          { type: "text", style: { x: edge, y, text: whole ? words.number(value) : words.signed(value), textAlign: "right",
            textVerticalAlign: "middle", fill: colours.text, fontSize: 12, fontWeight: whole ? 600 : 400 } },
        ];
        if (at + 1 < steps.length)
          children.unshift({ type: "line", shape: { x1: x2, y1: y + half, x2, y2: y + ROW_PX - half },
            style: { stroke: colours.quiet, lineWidth: 1 } });
        if (error > 0) {
          const place = (sign) => api.coord([api.value(2) + sign * error, at]);
          children.push(errorBar(place(-1), place(1), colours.strong));
        }
        return { type: "group", children };
      },
    }],
  };
}
