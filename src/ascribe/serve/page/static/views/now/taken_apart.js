// One moment taken apart: a waterfall from the base to what was measured, the same numbers in a table, each counter, and
// a sentence. All of it is one answer of the service, so that it is of one moment.
import { el, named } from "../../dom.js";
import { folded, marked, table } from "../../table.js";
import { failure } from "../../told.js";
import { colourOf } from "./colours.js";
import { groupName, parts } from "./nodes.js";
import { stepsOf, waterfall } from "../explain/waterfall.js";
import { groupsOf } from "./over_time.js";

const NAMES_PX = 170; // at most, of the waterfall
const ASKED_MS = 2000; // while the newest is followed; what is chosen by hand is asked for at once

export function createTaken(context, nodes, name, history, picked) {
  const { words, api } = context;
  let one = null;
  let steps = [];
  let asked = null;
  let askedAt = -Infinity;
  let closed = false;
  const title = el("h3");
  const said = el("p.sentence");
  const drawing = waterfall(context, {
    label: () => words.t("now.taken_apart_label"), most: NAMES_PX,
    held: () => ({ steps, unit: one?.unit, digits: 2 }),
    fill: ({ kind, group }, colours) => (kind === "group" ? colourOf(colours, groupsOf(history).indexOf(group)) : colours.residual),
  });
  const numbers = el("div");
  const body = el("div.pair", { hidden: true }, drawing.element, numbers);
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
      if (closed || asked !== at) return;
      asked = null;
      problem.replaceChildren(failure(words, error));
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
    steps = stepsOfMoment(words, one);
    numbers.replaceChildren(figures(words, steps, one.unit, nodes.bound));
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
      drawing.dispose();
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

function stepsOfMoment(words, one) {
  const groups = parts(one).map(([group, value, error]) => ({ kind: "group", group, name: groupName(words, group), value, error }));
  const ends = { base: one.base_w, prediction: one.prediction_w, unexplained: one.unexplained_w, measured: one.measured_w };
  return stepsOf((kind) => words.t(`now.${kind}`), ends, groups);
}

function figures(words, steps, unit, bound) {
  const rows = steps.map(({ kind, whole, name, value, error }) => {
    const label = kind === "group" ? named(name, 32) : `${kind === "predicted" || kind === "measured" ? "= " : ""}${name}`;
    return [label, whole ? words.number(value) : words.signed(value), kind === "group" && error !== null ? `± ${words.number(error)}` : ""];
  });
  const made = table(
    words.t("now.sum"),
    [{ label: words.t("now.part") }, { label: unit, numeric: true }, { label: words.t(bound ? "now.bound" : "now.stderr"), numeric: true }],
    rows, "sum",
  );
  return marked(made, steps.map(({ kind, group }) => group ?? kind));
}
