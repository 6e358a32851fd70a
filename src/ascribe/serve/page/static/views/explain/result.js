// An answer, drawn: the rows, one of them in detail, all of them together, and what can be taken along.
import { el, named } from "../../dom.js";
import { folded, table } from "../../table.js";
import { failure } from "../../told.js";
import { answered, baseOf, ranked, sharesOf } from "./answer.js";
import { beeswarm } from "./beeswarm.js";
import { comparison } from "./compare.js";
import { pictureButtons } from "./downloads.js";
import { force } from "./force.js";
import { heatmap } from "./heatmap.js";
import { nameOf, rowList } from "./list.js";
import { picture } from "./pictures.js";
import { valueOf } from "./rows.js";
import { decimals, valueText } from "./scale.js";
import { takeAlong } from "./take_along.js";
import { sentence } from "./texts.js";
import { stepsOf, waterfall } from "./waterfall.js";

/** `second`: another answer for the same rows, or null; `card`: of the model; `source`: where the rows came from. */
export function createResult(context, { answer, second, card, source }) {
  const { words, api } = context;
  const { told } = answer;
  const unit = told.unit || "1";
  const units = Object.fromEntries(card.features.map((feature) => [feature.name, feature.unit ?? ""]));
  const place = Object.fromEntries(card.features.map((feature, at) => [feature.name, at]));
  const drawn = { all: [], one: [] };
  let closed = false;
  const detail = el("div.figure");
  const list = rowList(context, answer, show);
  const together = el("div.figure");
  const element = el(
    "div.results", {},
    el("section.panel", { "aria-label": words.t("explain.answer") }, el("h2", {}, words.t("explain.answer")), summary(), list.element),
    el("section.panel", { "aria-label": words.t("explain.one_row") }, detail),
    together,
    takeAlong(context, answer, source),
  );

  function summary() {
    const parts = [
      [words.t("explain.model"), `${told.model} ${told.version}`], [words.t("explain.method"), told.method],
      [words.t("explain.game"), told.game], [words.t("explain.tier"), told.tier],
      [words.t("explain.budget"), told.budget ? String(told.budget) : ""], [words.t("explain.output"), `${told.output}${told.unit ? `, ${told.unit}` : ""}`],
      [words.t("explain.space"), told.space],
      [words.t("explain.gap"), told.efficiency_gap === null ? "" : `${told.efficiency_gap.toExponential(1)} ${told.unit}`],
    ].filter(([, text]) => text);
    return el("dl.facts", {}, ...parts.map(([key, text]) => el("div", {}, el("dt", {}, key), el("dd", {}, named(text, 80)))));
  }

  const keep = (kind, drawing) => {
    drawn[kind].push(drawing);
    return drawing;
  };

  function clear(kind) {
    drawn[kind].splice(0).forEach((drawing) => drawing.dispose());
  }

  const labelled = (at) => (name) => {
    const value = name in place ? valueOf(answer.sent[at], name, place[name]) : undefined;
    const text = valueText(words, value, units[name]);
    return text ? `${name} = ${text}` : name;
  };

  /** One row in detail. */
  function show(at) {
    clear("one");
    list.mark(at);
    const row = answer.rows[at];
    const name = nameOf(words, row, at);
    detail.replaceChildren(el("h2", {}, words.t("explain.one_row"), ": ", named(name, 60)));
    if (!answered(row)) {
      detail.append(el("p.note.bad", {}, row.reason || row.status));
      return;
    }
    if (row.status !== "ok") detail.append(el("p.note.warn", {}, row.reason || row.status));
    if (told.layout === "image") return detail.append(keep("one", picture(context, answer.sent[at].image, row.values, told.shape)).element);
    if (told.layout === "text") return detail.append(keep("one", sentence(context, row.words, row.values, told.unit)).element);
    if (told.layout !== "table") return detail.append(el("p.note", {}, words.t("explain.no_picture", { layout: told.layout })));
    const shares = sharesOf(answer, row);
    if (told.additive) additive(at, row, shares, name);
    else detail.append(el("p.note", {}, words.t("explain.not_additive", { method: told.method })), numbers(shares, at));
    if (second) compared(at);
  }

  function additive(at, row, shares, name) {
    const said = el("p.sentence");
    const one = { base: baseOf(answer, row), prediction: row.prediction, measured: row.measured_w };
    const steps = stepsOf(words, answer, one, shares, labelled(at));
    const fall = keep("one", waterfall(context, steps, unit, words.t("explain.waterfall_label", { row: name })));
    const line = keep("one", force(context, one, shares, unit, words.t("explain.force_label", { row: name }), labelled(at)));
    detail.append(
      said,
      el("div.row.ends", {}, el("h3", {}, words.t("explain.waterfall")), pictureButtons(context, () => fall, () => "waterfall")),
      fall.element,
      el("div.row.ends", {}, el("h3", {}, words.t("explain.force")), pictureButtons(context, () => line, () => "force")),
      line.element,
      numbers(shares, at),
    );
    speak(said, at);
  }

  /** The service's own sentence. */
  async function speak(place, at) {
    try {
      const headers = { Accept: "text/plain", "Content-Type": "application/json" };
      const body = JSON.stringify({ ...answer.asked, feature_vector: [answer.sent[at]] });
      const got = await api.ask("/v1/attributions", { method: "POST", body, headers, query: { language: words.language } });
      if (!closed) place.textContent = (await got.text()).trim();
    } catch (problem) {
      if (!closed) place.replaceChildren(failure(words, problem));
    }
  }

  function numbers(shares, at) {
    const digits = decimals(shares.map(({ value }) => value));
    const made = table(
      words.t("explain.shares"),
      [{ label: words.t("explain.feature") }, { label: words.t("explain.value"), numeric: true }, { label: words.t("explain.share_axis", { unit }), numeric: true }, { label: words.t("explain.stderr"), numeric: true }],
      shares.map(({ name, value, error }) => [
        named(name, 60), valueText(words, name in place ? valueOf(answer.sent[at], name, place[name]) : undefined, units[name]),
        words.signed(value, digits), error ? `± ${words.number(error, digits)}` : "",
      ]),
      "shares",
    );
    return folded(words, made, words.t("explain.shares"));
  }

  function compared(at) {
    const called = [answer, second].map((one) => `${one.asked.model} ${one.told.version.slice(-6)} ${one.told.method} ${one.told.tier}`);
    if (!answered(second.rows[at])) return;
    const made = keep("one", comparison(context, answer, second, at, called));
    detail.append(
      el("div.row.ends", {}, el("h3", {}, words.t("explain.compared")), pictureButtons(context, () => made.chart, () => "comparison")), made.element,
    );
  }

  /** All rows together, where there are several. */
  function draw() {
    const held = answer.rows.map((row, at) => ({ row, at })).filter(({ row }) => answered(row));
    if (told.layout !== "table" || held.length < 2) return;
    const players = ranked(answer);
    const points = (name) => held.map(({ row, at }) => ({
      row: nameOf(words, row, at), share: row.attribution_shares[name] ?? 0,
      value: name in place ? valueOf(answer.sent[at], name, place[name]) : undefined,
    }));
    const swarm = keep("all", beeswarm(context, players, points, unit, words.t("explain.beeswarm_label", { count: held.length }), (name) => units[name] ?? ""));
    const cells = held.map(({ row, at }) => ({ name: nameOf(words, row, at), prediction: row.prediction, shares: row.attribution_shares }));
    const heat = keep("all", heatmap(context, players, cells, unit, words.t("explain.heatmap_label", { count: held.length })));
    const digits = decimals([heat.most]);
    together.append(
      el("section.panel", { "aria-label": words.t("explain.beeswarm") },
        el("div.row.ends", {}, el("h2", {}, words.t("explain.beeswarm")), pictureButtons(context, () => swarm, () => "beeswarm")),
        ramp("swarm", words.t("explain.value_low"), words.t("explain.value_high")), swarm.element),
      el("section.panel", { "aria-label": words.t("explain.heatmap") },
        el("div.row.ends", {}, el("h2", {}, words.t("explain.heatmap")), pictureButtons(context, () => heat, () => "heatmap")),
        ramp("heat", `−${words.number(heat.most, digits)} ${unit}`, `+${words.number(heat.most, digits)} ${unit}`), heat.element),
    );
  }

  draw();
  show(Math.max(0, answer.rows.findIndex(answered)));
  return {
    element,
    close() {
      closed = true;
      clear("one");
      clear("all");
    },
  };
}

const ramp = (kind, low, high) => el("p.ramp.quiet", {}, low, " ", el(`span.colours.${kind}`, { "aria-hidden": "true" }), " ", high);
