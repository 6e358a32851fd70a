// Every version with its verdicts, numbers and origin; quantised ones below what they were made from.
import { facts, panel, reasons } from "../../blocks.js";
import { el, named } from "../../dom.js";
import { scrolled, table } from "../../table.js";
import { tiers } from "./served.js";

const LISTED = 12; // numbers of a list that are shown

export function versions(context, held, caller, moves) {
  const { words } = context;
  return panel(
    words.t("models.versions"),
    ...ordered(held.versions).map(({ version, below }) => one(context, held, version, below, caller, moves)),
    held.left_out ? el("p.quiet", {}, words.t("models.left_out", { count: held.left_out })) : null,
  );
}

/** Newest first; a variant stands below its origin where that is here. */
function ordered(all) {
  const here = new Set(all.map(({ version }) => version));
  const belongs = (one) => one.variant && here.has(one.variant.made_from);
  return all
    .filter((one) => !belongs(one))
    .flatMap((one) => [
      { version: one, below: false },
      ...all.filter((other) => belongs(other) && other.variant.made_from === one.version).map((version) => ({ version, below: true })),
    ]);
}

function one(context, held, version, below, caller, moves) {
  const { words } = context;
  const verdict = version.verdicts[0];
  const badge = (kind, text) => el(`span.badge.${kind}`, {}, text);
  const summary = el(
    "summary", {},
    named(version.version), " ",
    ...version.channels.map((name) => badge("chosen", name)),
    version.variant ? badge("plain", version.variant.precision) : null,
    version.problem ? badge("bad", words.t("models.problem")) : null,
    verdict ? badge(verdict.accepted ? "good" : "bad", words.t(verdict.accepted ? "models.accepted" : verdict.forced ? "models.forced" : "models.refused")) : badge("plain", words.t("models.unjudged")),
  );
  const element = el(below ? "details.version.below" : "details.version", { "data-key": `version ${version.version}` }, summary);
  if (version.problem) {
    element.append(el("p.note.bad", {}, version.problem));
    return element;
  }
  element.append(origin(words, version), ...promotions(context, held, version, caller, moves), verdicts(words, version));
  if (version.variant) element.append(variant(words, version.variant, version.unit));
  element.append(
    tiers(words, version.tiers, version.unit, version.machine ? words.t("models.tiers_there", { machine: version.machine }) : words.t("models.tiers_built")),
    numbers(words, version.metrics),
  );
  return element;
}

function origin(words, version) {
  const from = version.lineage;
  const rows = Object.entries(from.rows).map(([part, count]) => `${part} ${count}`).join(", ");
  const source = Object.entries(from.source).map(([name, value]) => `${name} ${value}`).join(", ");
  return facts(words, [
    ["models.created", words.when(version.created)], ["models.family", version.family],
    ["models.target", version.unit ? `${version.target}, ${version.unit}` : version.target], ["models.features", String(version.features)],
    ["models.size", `${words.number(version.bytes / 1024, 0)} KiB`], ["models.data", from.data], ["models.data_hash", from.data_sha256.slice(0, 16)],
    ["models.rows", rows], ["models.source", source], ["models.code", from.code_version], ["models.seed", String(from.seed)],
  ], 90);
}

/** Offered where it can be done: by an admin, to a channel that this server follows and that points elsewhere. */
function promotions(context, held, version, caller, moves) {
  const { words } = context;
  if (!caller.admin) return [];
  return held.channels
    .filter((channel) => channel.served && channel.version !== version.version)
    .map((channel) => el("div.row", {}, el("button", { type: "button", onclick: () => moves.promote(held.model, channel, version, caller) },
      words.t("models.promote_to", { channel: channel.name }))));
}

function verdicts(words, version) {
  if (!version.verdicts.length) return el("p.quiet", {}, words.t("models.unjudged_long"));
  return el("div", {}, ...version.verdicts.map((verdict) =>
    el("div.verdict", {},
      el("p", {}, el("span", { class: verdict.accepted ? "good" : "bad" }, words.t(verdict.accepted ? "models.accepted" : "models.refused")), " ",
        words.t(verdict.against ? "models.judged_against" : "models.judged_alone", { at: words.when(verdict.at), channel: verdict.channel, against: verdict.against }),
        verdict.forced ? ` ${words.t("models.forced_long")}` : ""),
      reasons(verdict.reasons))));
}

function variant(words, about, unit) {
  const [mine, theirs] = about.bytes;
  const parts = [words.t(about.here ? "models.made_from" : "models.made_from_gone", { precision: about.precision, version: about.made_from })];
  if (mine && theirs) parts.push(words.t("models.variant_bytes", { mine: words.number(mine / 1024, 0), theirs: words.number(theirs / 1024, 0) }));
  if (about.error_share !== null) parts.push(words.t("models.variant_error", { share: words.number(100 * about.error_share, 2) }));
  for (const [rows, [one, other]] of Object.entries(about.ms)) parts.push(words.t("models.variant_ms", { rows, mine: words.number(one, 3), theirs: words.number(other, 3) }));
  return el("p.note", {}, parts.join(" "));
}

/** Metrics, however deep they lie, a line each. */
function numbers(words, metrics) {
  const rows = [...flat(words, metrics)].slice(0, 120);
  if (!rows.length) return el("p.quiet", {}, words.t("models.no_metrics"));
  const made = table(words.t("models.metrics"), [{ label: words.t("models.metric") }, { label: words.t("models.metric_value"), numeric: true }],
    rows.map(([name, value]) => [named(name, 70), typeof value === "number" ? short(words, value) : String(value).slice(0, 200)]), "metrics");
  return el("details", {}, el("summary", {}, words.t("models.metrics")), scrolled(made, words.t("models.metrics")));
}

function* flat(words, held, before = "") {
  for (const [name, value] of Object.entries(held)) {
    const whole = before ? `${before} · ${name}` : name;
    if (value !== null && typeof value === "object" && !Array.isArray(value)) yield* flat(words, value, whole);
    else if (Array.isArray(value)) {
      if (value.length && value.length <= LISTED && value.every((one) => typeof one === "number")) yield [whole, value.map((one) => short(words, one)).join(", ")];
    } else if (value !== null) yield [whole, value];
  }
}

function short(words, value) {
  if (Number.isInteger(value)) return words.number(value, 0);
  return Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6 ? value.toExponential(2) : words.number(value, 4);
}
