// An answer, drawn: the rows, one of them in detail, all of them together, and what can be taken along.
import { facts, panel, ramp } from "../../blocks.js";
import { el, named } from "../../dom.js";
import { folded, table } from "../../table.js";
import { answered, baseOf, ranked, sharesOf, spoken } from "./answer.js";
import { beeswarm } from "./beeswarm.js";
import { comparison } from "./compare.js";
import { pictureHead } from "./downloads.js";
import { fall } from "./fall.js";
import { force } from "./force.js";
import { heatmap } from "./heatmap.js";
import { rowList, unanswered } from "./list.js";
import { picture } from "./pictures.js";
import { readings } from "./rows.js";
import { decimals } from "./scale.js";
import { takeAlong } from "./take_along.js";
import { sentence } from "./texts.js";

/** `second`: another answer for the same rows, or null; `card`: of the model; `source`: where the rows came from. */
export function createResult(context, { answer, second, card, source }) {
  const { words } = context;
  const { told } = answer;
  const unit = told.unit || "1";
  const read = readings(words, card);
  const drawn = { all: [], one: [] };
  const keep = (kind, drawing) => {
    drawn[kind].push(drawing);
    return drawing;
  };
  const detail = el("div.figure");
  const list = rowList(context, answer, show);
  const element = el(
    "div.results", {},
    panel(words.t("explain.answer"), summary(), list.element),
    el("section.panel", { "aria-label": words.t("explain.one_row") }, detail),
    el("div.figure", {}, together()),
    takeAlong(context, answer, source),
  );

  function summary() {
    return facts(words, [
      ["explain.model", `${told.model} ${told.version}`], ["explain.method", told.method],
      ["explain.game", told.game], ["explain.tier", told.tier],
      ["explain.budget", told.budget ? String(told.budget) : ""], ["explain.output", `${told.output}${told.unit ? `, ${told.unit}` : ""}`],
      ["explain.space", told.space],
      ["explain.gap", told.efficiency_gap === null ? "" : `${told.efficiency_gap.toExponential(1)} ${told.unit}`],
    ]);
  }

  function clear(kind) {
    drawn[kind].splice(0).forEach((drawing) => drawing.dispose());
  }

  const labelled = (at) => (name) => [name, read.text(answer.sent[at], name)].filter(Boolean).join(" = ");

  /** One row in detail. */
  function show(at) {
    clear("one");
    const { row, name } = list.turn(at, detail);
    if (!answered(row)) return detail.append(unanswered(row));
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
    const one = { base: baseOf(answer, row), prediction: row.prediction };
    const drop = keep("one", fall(context, answer, row, shares, words.t("explain.waterfall_label", { row: name }), labelled(at)));
    const line = keep("one", force(context, one, shares, unit, words.t("explain.force_label", { row: name }), labelled(at)));
    detail.append(
      spoken(context, answer, at),
      pictureHead(context, el("h3", {}, words.t("explain.waterfall")), drop, "waterfall"), drop.element,
      pictureHead(context, el("h3", {}, words.t("explain.force")), line, "force"), line.element,
      numbers(shares, at),
    );
  }

  function numbers(shares, at) {
    const digits = decimals(shares.map(({ value }) => value));
    const made = table(
      words.t("explain.shares"),
      [{ label: words.t("explain.feature") }, { label: words.t("explain.value"), numeric: true }, { label: words.t("explain.share_axis", { unit }), numeric: true }, { label: words.t("explain.stderr"), numeric: true }],
      shares.map(({ name, value, error }) => [
        named(name, 60), read.text(answer.sent[at], name), words.signed(value, digits), error ? `± ${words.number(error, digits)}` : "",
      ]),
      "shares",
    );
    return folded(words, made, words.t("explain.shares"));
  }

  function compared(at) {
    const called = [answer, second].map((one) => `${one.asked.model} ${one.told.version.slice(-6)} ${one.told.method} ${one.told.tier}`);
    if (!answered(second.rows[at])) return;
    if (["unit", "output", "space"].some((key) => told[key] !== second.told[key])) {
      detail.append(el("p.note.warn", {}, words.t("explain.compared_unlike")));
      return;
    }
    const made = comparison(context, answer, second, at, called);
    keep("one", made.drawing);
    detail.append(pictureHead(context, el("h3", {}, words.t("explain.compared")), made.drawing, "comparison"), made.element);
  }

  /** All rows together, where there are several. */
  function together() {
    const held = answer.rows.map((row, at) => ({ row, at, name: list.nameOf(at) })).filter(({ row }) => answered(row));
    if (told.layout !== "table" || held.length < 2) return [];
    const players = ranked(answer);
    const points = (player) => held.map(({ row, at, name }) => ({
      row: name, share: row.attribution_shares[player] ?? 0, value: read.value(answer.sent[at], player),
    }));
    const swarm = keep("all", beeswarm(context, players, points, unit, words.t("explain.beeswarm_label", { count: held.length }), read.unit));
    const cells = held.map(({ row, name }) => ({ name, prediction: row.prediction, shares: row.attribution_shares }));
    const heat = keep("all", heatmap(context, players, cells, unit, words.t("explain.heatmap_label", { count: held.length })));
    const digits = decimals([heat.most]);
    const part = (name, drawing, colours) => el(
      "section.panel", { "aria-label": words.t(`explain.${name}`) },
      pictureHead(context, el("h2", {}, words.t(`explain.${name}`)), drawing, name), colours, drawing.element,
    );
    return [
      part("beeswarm", swarm, ramp("swarm", words.t("explain.value_low"), words.t("explain.value_high"))),
      part("heatmap", heat, ramp("heat", `−${words.number(heat.most, digits)} ${unit}`, `+${words.number(heat.most, digits)} ${unit}`)),
    ];
  }

  show(Math.max(0, answer.rows.findIndex(answered)));
  return {
    element,
    close() {
      clear("one");
      clear("all");
    },
  };
}
