// An answer of a guest, drawn: its rows, and of one of them its own columns beside each host.
import { facts, panel } from "../../blocks.js";
import { el, named } from "../../dom.js";
import { folded, table } from "../../table.js";
import { answered, sharesOf, spoken } from "../explain/answer.js";
import { pictureHead } from "../explain/downloads.js";
import { fall } from "../explain/fall.js";
import { rowList, unanswered } from "../explain/list.js";
import { readings } from "../explain/rows.js";
import { decimals } from "../explain/scale.js";
import { boundsChart, boundsOf } from "./bounds.js";
import { takeAlong } from "./take_along.js";

/** `policy`: what was stated, "" for the server's own. */
export function createResult(context, { answer, card, source, policy }) {
  const { words } = context;
  const { told } = answer;
  const unit = told.unit || "1";
  const read = readings(words, card);
  const isHost = (name) => !read.has(name); // a player that is none of this party's columns is a host, or a column of one
  const drawn = [];
  const detail = el("div.figure");
  const list = rowList(context, answer, show);
  const element = el(
    "div.results", {},
    panel(words.t("explain.answer"), summary(), ...warnings(), list.element),
    el("section.panel", { "aria-label": words.t("explain.one_row") }, detail),
    takeAlong(context, answer, source, policy),
  );

  function summary() {
    return facts(words, [
      ["explain.method", told.method], ["explain.game", told.game],
      ["federated.hosts", told.features.filter(isHost).join(", ")], ["federated.policy", words.t(`federated.policy_${policy || "usual"}`)],
      ["explain.gap", `${told.efficiency_gap.toExponential(1)} ${told.unit}`],
    ]);
  }

  function warnings() {
    const open = answer.rows.filter((row) => !answered(row));
    const bounded = open.filter(boundsOf).length;
    const said = (key, count) => el("p.note.warn", {}, words.t(`federated.${key}`, { count, all: answer.rows.length }));
    return [...(bounded ? [said("rows_bounded", bounded)] : []), ...(open.length > bounded ? [said("rows_unanswered", open.length - bounded)] : [])];
  }

  function clear() {
    drawn.splice(0).forEach((drawing) => drawing.dispose());
  }

  function show(at) {
    clear();
    const { row, name } = list.turn(at, detail);
    if (!answered(row)) {
      detail.append(unanswered(row), ...between(boundsOf(row)));
      return;
    }
    if (row.status !== "ok") detail.append(el("p.note.warn", {}, row.reason || row.status));
    const shares = sharesOf(answer, row);
    const labelled = (player) => [player, read.text(answer.sent[at], player)].filter(Boolean).join(" = ");
    const drop = fall(context, answer, row, shares, words.t("explain.waterfall_label", { row: name }), labelled, isHost);
    drawn.push(drop);
    detail.append(
      spoken(context, answer, at, policy ? { "X-Host-Policy": policy } : {}), el("p", {}, together(shares)),
      pictureHead(context, el("ul.legend", {}, key("raises"), key("lowers"), key("host")), drop, "waterfall"),
      drop.element, numbers(shares, at),
    );
  }

  /** Where a host did not answer: between what the margin lies. */
  function between(bounds) {
    if (!bounds) return [];
    const digits = decimals([bounds.low, bounds.high]);
    const said = words.t("federated.between", { low: words.number(bounds.low, digits), high: words.number(bounds.high, digits), unit });
    const line = boundsChart(context, bounds, unit, said);
    drawn.push(line);
    return [el("p.sentence", {}, said), line.element, el("p.quiet", {}, words.t("federated.bounds_how"))];
  }

  /** What hosts account for beside this party, in one line. */
  function together(shares) {
    const sum = (wanted) => shares.filter(({ name }) => isHost(name) === wanted).reduce((total, { value }) => total + value, 0);
    const digits = decimals(shares.map(({ value }) => value));
    return words.t("federated.together", { own: words.signed(sum(false), digits), hosts: words.signed(sum(true), digits), unit });
  }

  const key = (kind) => el("li", {}, el(`span.swatch.${kind}`, { "aria-hidden": "true" }), words.t(`federated.key_${kind}`));

  function numbers(shares, at) {
    const digits = decimals(shares.map(({ value }) => value));
    const made = table(
      words.t("explain.shares"),
      [{ label: words.t("federated.player") }, { label: words.t("federated.whose") }, { label: words.t("explain.value"), numeric: true }, { label: words.t("explain.share_axis", { unit }), numeric: true }],
      shares.map(({ name, value }) => [
        named(name, 60), words.t(isHost(name) ? "federated.of_host" : "federated.own"), read.text(answer.sent[at], name), words.signed(value, digits),
      ]),
      "shares",
    );
    return folded(words, made, words.t("explain.shares"));
  }

  show(Math.max(0, answer.rows.findIndex(answered)));
  return { element, close: clear };
}
