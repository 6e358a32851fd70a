// An answer of a guest, drawn: its rows, and of one of them its own columns beside each host.
import { el, named } from "../../dom.js";
import { folded, table } from "../../table.js";
import { failure } from "../../told.js";
import { answered, baseOf, sharesOf } from "../explain/answer.js";
import { pictureButtons } from "../explain/downloads.js";
import { nameOf, rowList } from "../explain/list.js";
import { valueOf } from "../explain/rows.js";
import { decimals, valueText } from "../explain/scale.js";
import { stepsOf, waterfall } from "../explain/waterfall.js";
import { boundsChart, boundsOf } from "./bounds.js";
import { takeAlong } from "./take_along.js";

/** `policy`: what was stated, "" for the server's own. */
export function createResult(context, { answer, card, source, policy }) {
  const { words, api } = context;
  const { told } = answer;
  const unit = told.unit || "1";
  const place = Object.fromEntries(card.features.map((feature, at) => [feature.name, at]));
  const units = Object.fromEntries(card.features.map((feature) => [feature.name, feature.unit ?? ""]));
  const isHost = (name) => !(name in place); // a player that is none of this party's columns is a host, or a column of one
  const hosts = told.features.filter(isHost);
  let drawn = [];
  let closed = false;
  const detail = el("div.figure");
  const list = rowList(context, answer, show);
  const element = el(
    "div.results", {},
    el("section.panel", { "aria-label": words.t("explain.answer") }, el("h2", {}, words.t("explain.answer")), facts(), ...warnings(), list.element),
    el("section.panel", { "aria-label": words.t("explain.one_row") }, detail),
    takeAlong(context, answer, source, policy),
  );

  function facts() {
    const parts = [
      [words.t("explain.method"), told.method], [words.t("explain.game"), told.game],
      [words.t("federated.hosts"), hosts.join(", ")], [words.t("federated.policy"), words.t(`federated.policy_${policy || "usual"}`)],
      [words.t("explain.gap"), `${told.efficiency_gap.toExponential(1)} ${told.unit}`],
    ];
    return el("dl.facts", {}, ...parts.map(([key, text]) => el("div", {}, el("dt", {}, key), el("dd", {}, named(text, 80)))));
  }

  function warnings() {
    const open = answer.rows.filter((row) => !answered(row));
    const bounded = open.filter(boundsOf).length;
    const said = (key, count) => el("p.note.warn", {}, words.t(`federated.${key}`, { count, all: answer.rows.length }));
    return [...(bounded ? [said("rows_bounded", bounded)] : []), ...(open.length > bounded ? [said("rows_unanswered", open.length - bounded)] : [])];
  }

  const labelled = (at) => (name) => {
    const text = isHost(name) ? "" : valueText(words, valueOf(answer.sent[at], name, place[name]), units[name]);
    return text ? `${name} = ${text}` : name;
  };

  function show(at) {
    drawn.splice(0).forEach((drawing) => drawing.dispose());
    list.mark(at);
    const row = answer.rows[at];
    const name = nameOf(words, row, at);
    detail.replaceChildren(el("h2", {}, words.t("explain.one_row"), ": ", named(name, 60)));
    if (!answered(row)) {
      detail.append(el("p.note.bad", {}, row.reason || row.status));
      const bounds = boundsOf(row);
      if (!bounds) return;
      const digits = decimals([bounds.low, bounds.high]);
      const said = words.t("federated.between", { low: words.number(bounds.low, digits), high: words.number(bounds.high, digits), unit });
      const line = boundsChart(context, bounds, unit, said);
      drawn.push(line);
      detail.append(el("p.sentence", {}, said), line.element, el("p.quiet", {}, words.t("federated.bounds_how")));
      return;
    }
    if (row.status !== "ok") detail.append(el("p.note.warn", {}, row.reason || row.status));
    const shares = sharesOf(answer, row);
    const one = { base: baseOf(answer, row), prediction: row.prediction };
    const steps = stepsOf(words, answer, one, shares, labelled(at), (player) => (isHost(player) ? "host" : "share"));
    const fall = waterfall(context, steps, unit, words.t("explain.waterfall_label", { row: name }));
    drawn.push(fall);
    const sentence = el("p.sentence");
    detail.append(
      sentence, el("p", {}, together(shares)),
      el("div.row.ends", {}, el("ul.legend", {}, key("raises"), key("lowers"), key("host")), pictureButtons(context, () => fall, () => "waterfall")),
      fall.element, numbers(shares, at),
    );
    speak(sentence, at);
  }

  /** What hosts account for beside this party, in one line. */
  function together(shares) {
    const sum = (wanted) => shares.filter(({ name }) => isHost(name) === wanted).reduce((total, { value }) => total + value, 0);
    const digits = decimals(shares.map(({ value }) => value));
    return words.t("federated.together", { own: words.signed(sum(false), digits), hosts: words.signed(sum(true), digits), unit });
  }

  const key = (kind) => el("li", {}, el(`span.swatch.${kind}`, { "aria-hidden": "true" }), words.t(`federated.key_${kind}`));

  /** The service's own sentence: one more question to the hosts, of this row alone. */
  async function speak(where, at) {
    try {
      const headers = { Accept: "text/plain", "Content-Type": "application/json", ...(policy ? { "X-Host-Policy": policy } : {}) };
      const body = JSON.stringify({ ...answer.asked, feature_vector: [answer.sent[at]] });
      const got = await api.ask("/v1/attributions", { method: "POST", body, headers, query: { language: words.language } });
      if (!closed) where.textContent = (await got.text()).trim();
    } catch (problem) {
      if (!closed) where.replaceChildren(failure(words, problem));
    }
  }

  function numbers(shares, at) {
    const digits = decimals(shares.map(({ value }) => value));
    const made = table(
      words.t("explain.shares"),
      [{ label: words.t("federated.player") }, { label: words.t("federated.whose") }, { label: words.t("explain.value"), numeric: true }, { label: words.t("explain.share_axis", { unit }), numeric: true }],
      shares.map(({ name, value }) => [
        named(name, 60), words.t(isHost(name) ? "federated.of_host" : "federated.own"),
        isHost(name) ? "" : valueText(words, valueOf(answer.sent[at], name, place[name]), units[name]), words.signed(value, digits),
      ]),
      "shares",
    );
    return folded(words, made, words.t("explain.shares"));
  }

  show(Math.max(0, answer.rows.findIndex(answered)));
  return {
    element,
    close() {
      closed = true;
      drawn.forEach((drawing) => drawing.dispose());
      drawn = [];
    },
  };
}
