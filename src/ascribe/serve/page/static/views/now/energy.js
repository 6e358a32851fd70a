// Energy of a window in kWh, by group; of this node, and of all of them where they are asked for.
import { headed } from "../../blocks.js";
import { el, named } from "../../dom.js";
import { marked, scrolled, table } from "../../table.js";
import { failure, told } from "../../told.js";
import { groupName } from "./nodes.js";

const ASKED_MS = 10000;
const AT_ONCE = 4;
const SHORT_US = 30 * 60e6; // below, kWh are written to the milliwatt hour

export function createEnergy({ words, api }, nodes, name, history) {
  let askedAt = -Infinity;
  let askedSpan = 0;
  const title = el("h3");
  const place = el("div");
  const covered = el("p.quiet");
  const all = el("div");
  const button = el("button", { type: "button", onclick: everybody }, words.t("now.energy_all"));
  const element = el("section.figure", {}, headed(title, button), place, covered, all);

  const window = () => {
    const to = history.t_us.at(-1) ?? Date.now() * 1000;
    return { from: Math.round(to - history.span_us), to };
  };
  const ask = (node, span) => api.get(`/v1/nodes/${encodeURIComponent(node)}/energy`, { model: nodes.model, ...span });

  async function draw() {
    title.textContent = words.t("now.energy", { window: words.t(`now.windows.${history.span_us / 60e6}`) });
    if (!history.t_us.length) return;
    if (askedSpan === history.span_us && performance.now() - askedAt < ASKED_MS) return;
    if (askedSpan !== history.span_us) all.replaceChildren();
    askedAt = performance.now();
    const span = (askedSpan = history.span_us);
    try {
      const got = await ask(name, window());
      if (span !== askedSpan) return;
      place.replaceChildren(figures(got));
      const minutes = (s) => words.number(s / 60, 1);
      covered.textContent = words.t(got.measured_s < got.covered_s ? "now.covered_partly" : "now.covered", {
        covered: minutes(got.covered_s), span: minutes(got.span_s), measured: minutes(got.measured_s), gap: got.gap_s,
      });
    } catch (problem) {
      if (span !== askedSpan) return;
      place.replaceChildren(failure(words, problem));
      covered.textContent = "";
    }
  }

  const cell = (value, signed) => words[signed ? "signed" : "number"](value, history.span_us < SHORT_US ? 6 : 4);

  /** This node: a row for each part, and the watts that it is on average. */
  function figures(got) {
    const mean = (kwh, signed, s = got.covered_s) => words[signed ? "signed" : "number"](s ? (kwh * 3.6e6) / s : null);
    const row = (label, kwh, signed, s) => [label, cell(kwh, signed), Number.isFinite(kwh) ? mean(kwh, signed, s) : "–"];
    const groups = Object.entries(got.groups ?? {});
    const made = table(
      words.t("now.energy_sum"),
      [
        { label: words.t("now.part") }, { label: "kWh", numeric: true },
        { label: words.t("now.mean", { unit: history.unit }), numeric: true },
      ],
      [
        row(words.t("now.base"), got.base_kwh), ...groups.map(([g, kwh]) => row(named(groupName(words, g), 32), kwh, true)),
        row(`= ${words.t("now.predicted")}`, got.prediction_kwh),
        row(words.t("now.unexplained"), got.unexplained_kwh, true, got.measured_s),
        row(`= ${words.t("now.measured")}`, got.measured_kwh, false, got.measured_s),
      ],
      "sum energy",
    );
    const names = ["base", ...groups.map(([g]) => g), "predicted", "unexplained", "measured"];
    return marked(made, names);
  }

  /** All nodes: a row for each. */
  function everyone(found) {
    const groups = [...new Set(found.flatMap(([, got]) => Object.keys(got.groups ?? {})))];
    const heads = ["base", ...groups, "predicted", "unexplained", "measured"];
    const label = (head, at) => (at > 0 && at <= groups.length ? named(groupName(words, head), 28) : words.t(`now.${head}`));
    return table(
      words.t("now.energy_unit_all", { count: found.length }),
      [{ label: words.t("now.columns.node") }, ...heads.map((head, at) => ({ label: label(head, at), numeric: true }))],
      found.map(([node, got]) => [
        named(node, 32), cell(got.base_kwh), ...groups.map((g) => cell(got.groups?.[g], true)), cell(got.prediction_kwh),
        cell(got.unexplained_kwh, true), cell(got.measured_kwh),
      ]),
      "energy all",
    );
  }

  /** A few at a time, so that the service has room for others. */
  async function everybody() {
    button.disabled = true;
    const span = window();
    const chosen = history.span_us;
    const wanted = () => history.span_us === chosen && element.isConnected; // nobody has gone on meanwhile
    const left = [...nodes.all.keys()].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
    const names = [...left];
    const found = new Map();
    const failed = [];
    const worker = async () => {
      for (let node = left.shift(); node !== undefined && wanted(); node = left.shift()) {
        try {
          found.set(node, await ask(node, span));
        } catch (problem) {
          failed.push([node, problem]);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    button.disabled = false;
    if (!wanted()) return;
    const rows = names.filter((node) => found.has(node)).map((node) => [node, found.get(node)]);
    all.replaceChildren(
      ...(rows.length ? [scrolled(everyone(rows), words.t("now.energy_label"))] : []),
      ...failed.slice(0, 3).map(([node, problem]) => el("p.bad", {}, named(node, 40), ": ", told(words, problem))),
    );
  }

  return { element, draw };
}
