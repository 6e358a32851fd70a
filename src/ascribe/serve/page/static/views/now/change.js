// What changed between two moments, as the service says it: differences by group, then by feature.
import { chart, errorBar, tip } from "../../charts.js";
import { clipped, el, named } from "../../dom.js";
import { folded, marked, table } from "../../table.js";
import { failure } from "../../told.js";
import { below, names, side } from "../explain/scale.js";
import { colourOf } from "./colours.js";
import { groupName } from "./nodes.js";
import { groupsOf } from "./over_time.js";

const ROW_PX = 24;
const AROUND_PX = 50;
const NAMES_PX = 170; // at most
const RIGHT_PX = 66; // where the numbers stand
const ASKED_MS = 3000;

export function createChange(context, nodes, name, history, picked) {
  const { words, api } = context;
  let rows = []; // of the last answer
  let asked = "";
  let askedAt = -Infinity;
  let closed = false;
  const title = el("h3");
  const said = el("p.sentence");
  const drawing = chart(context, {
    label: () => words.t("now.changed_label"),
    height: () => rows.length * ROW_PX + AROUND_PX,
    build: (colours, width) => bars(words, rows, history, colours, width),
  });
  const numbers = el("div");
  const more = folded(words, el("div"), words.t("now.changed_features"), words.t("now.each"));
  more.hidden = true;
  const problem = el("div");
  const body = el("div.pair", { hidden: true }, drawing.element, numbers);
  const element = el("figure.figure", {}, el("figcaption", {}, title), problem, said, body, more);

  function draw() {
    element.parentElement?.toggleAttribute("hidden", history.t_us.length < 2);
    if (history.t_us.length < 2 || closed) return;
    const [from, to] = [history.t_us[picked.since], history.t_us[picked.at]];
    title.textContent = words.t("now.changed", { from: words.time(from), to: words.time(to) });
    const wanted = `${from} ${to}`;
    const late = !picked.following || performance.now() - askedAt > ASKED_MS; // what is chosen by hand is asked for at once
    if (wanted !== asked && late && from !== to) ask(from, to, wanted);
    if (from !== to) return;
    asked = ""; // what is under way is of other moments, and the same two may be chosen again
    show(null);
  }

  async function ask(from, to, wanted) {
    asked = wanted;
    askedAt = performance.now();
    try {
      const got = await api.get(`/v1/nodes/${encodeURIComponent(name)}/change`, {
        model: nodes.model, from, to, language: words.language,
      });
      if (asked === wanted && !closed) show(got);
    } catch (error) {
      if (asked !== wanted || closed) return;
      asked = "";
      show(null);
      said.textContent = "";
      problem.replaceChildren(failure(words, error));
    }
  }

  function show(got) {
    problem.replaceChildren();
    body.hidden = more.hidden = !got;
    said.textContent = got?.sentence ?? (got ? "" : words.t("now.same_moment"));
    if (!got) return;
    rows = groupRows(got);
    numbers.replaceChildren(figures(words, rows, got, nodes.bound));
    more.querySelector(".scrolled").replaceChildren(features(words, got));
    drawing.update();
  }

  return {
    element,
    draw,
    close() {
      closed = true;
      drawing.dispose();
    },
  };
}

function groupRows(answer) {
  return Object.entries(answer.groups)
    .map(([group, value]) => ({ group, value, error: answer.stderr_w?.[group] ?? null }))
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
}

function figures(words, rows, answer, bound) {
  const moved = answer.base_change_w !== 0; // another version explained one of the moments
  const head = words.t(bound ? "now.bound" : "now.stderr");
  const told = ({ group, value, error }) =>
    [named(groupName(words, group), 32), words.signed(value), error === null ? "" : `± ${words.number(error)}`];
  const made = table(
    words.t(moved ? "now.changed_versions" : "now.changed_sum"),
    [{ label: words.t("now.part") }, { label: answer.unit, numeric: true }, { label: head, numeric: true }],
    [
      ...(moved ? [[words.t("now.base"), words.signed(answer.base_change_w), ""]] : []),
      ...rows.map(told), [`= ${words.t("now.predicted")}`, words.signed(answer.prediction_change_w), ""],
    ],
    "sum",
  );
  return marked(made, [...(moved ? ["base"] : []), ...rows.map(({ group }) => group), "predicted"]);
}

function features(words, answer) {
  const value = (number) => (number === null ? "–" : words.compact(number));
  const numeric = true;
  return table(
    words.t("now.changed_features"),
    [
      { label: words.t("now.feature") }, { label: "A", numeric }, { label: "B", numeric }, { label: words.t("now.in_unit") },
      { label: answer.unit, numeric }, { label: words.t("now.stderr"), numeric },
    ],
    answer.features.map((one) => [
      named(one.name, 48), value(one.from_value), value(one.to_value), one.unit, words.signed(one.change_w),
      one.stderr_w === null ? "" : `± ${words.number(one.stderr_w)}`,
    ]),
    "counters",
  );
}

function bars(words, rows, history, colours, width) {
  const unit = history.unit;
  const order = groupsOf(history);
  const { left, letters } = names(width, NAMES_PX);
  const most = Math.max(...rows.map(({ value, error }) => Math.abs(value) + (error ?? 0)), 1e-9) * 1.06;
  return {
    grid: { left, right: RIGHT_PX, top: 8, bottom: 40 },
    xAxis: below(colours, unit, width, { min: -most, max: most, splitNumber: width < 500 ? 4 : 6 }),
    yAxis: side(colours, rows.length, (at) => clipped(groupName(words, rows[at].group), letters), {
      axisLine: { show: true, onZero: true, lineStyle: { color: colours.quiet } },
    }),
    tooltip: tip(colours, ({ dataIndex }) => {
      const { group, value, error } = rows[dataIndex];
      return [clipped(groupName(words, group), 60), `${words.signed(value)} ${unit}${error === null ? "" : ` ± ${words.number(error)}`}`];
    }, { trigger: "item" }),
    series: [{
      type: "custom",
      data: rows.map(({ value }, at) => [at, value]),
      encode: { y: 0, x: 1 },
      renderItem(params, api) {
        const at = api.value(0);
        const { group, value, error } = rows[at];
        const [x0, y] = api.coord([0, at]);
        const [x1] = api.coord([value, at]);
        const edge = params.coordSys.x + params.coordSys.width + RIGHT_PX - 4;
        const children = [
          { type: "rect", shape: { x: Math.min(x0, x1), y: y - 8, width: Math.max(Math.abs(x1 - x0), 1), height: 16 },
            style: { fill: colourOf(colours, order.indexOf(group)) } },
          { type: "text", style: { x: edge, y, text: words.signed(value), textAlign: "right", textVerticalAlign: "middle",
            fill: colours.text, fontSize: 12 } },
        ];
        if (error > 0) children.push(errorBar(api.coord([value - error, at]), api.coord([value + error, at]), colours.strong));
        return { type: "group", children };
      },
    }],
  };
}
