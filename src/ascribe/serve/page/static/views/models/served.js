// What answers now: version, outputs, and each tier as it was measured on this server.
import { facts } from "../../blocks.js";
import { el, named } from "../../dom.js";
import { scrolled, table } from "../../table.js";

export function served(context, card) {
  const { words } = context;
  const about = [
    ["models.version", card.version], ["models.channel", card.channel], ["models.output", card.outputs.map(({ name, unit }) => (unit ? `${name}, ${unit}` : name)).join("; ")],
    ["models.features", String(card.features.length)], ["models.methods", card.explainers.join(", ")],
    ["models.labels", Object.entries(card.labels).map(([name, text]) => `${name} = ${text}`).join(", ")],
  ];
  return el(
    "section.panel", { "aria-label": words.t("models.now") },
    el("h2", {}, words.t("models.now"), ": ", named(card.name)),
    facts(words, about, 200),
    card.rollout && card.rollout.state !== "current"
      ? el("p.note.warn", {}, words.t(`models.rollout_${card.rollout.state}`, { wanted: card.rollout.wanted }), " ", card.rollout.reason) : null,
    tiers(words, card.tiers, card.unit, words.t("models.tiers_here")),
    card.shadow ? shadow(words, card) : null,
  );
}

/** A row for each tier, a column for each size of call that was measured. */
export function tiers(words, held, unit, caption) {
  const all = Object.entries(held);
  if (!all.length) return el("p.quiet", {}, words.t("models.no_tiers"));
  const sizes = [...new Set(all.flatMap(([, tier]) => Object.keys(tier.latency_ms ?? {})))].sort((a, b) => a - b);
  const columns = [
    { label: words.t("models.tier") }, { label: words.t("models.stderr", { unit: unit || "1" }), numeric: true },
    ...sizes.map((rows) => ({ label: words.t("models.ms_of", { rows }), numeric: true })),
  ];
  const made = table(caption, columns, all.map(([name, tier]) => [
    name, tier.stderr === null || tier.stderr === undefined ? "–" : `± ${words.number(tier.stderr, 3)}`,
    ...sizes.map((rows) => milliseconds(words, tier.latency_ms?.[rows])),
  ]), "tiers");
  return scrolled(made, caption);
}

const milliseconds = (words, ms) => (ms === undefined ? "–" : words.number(ms, ms < 10 ? 2 : ms < 100 ? 1 : 0));

function shadow(words, card) {
  const { shadow: held } = card;
  const text = (value, digits = 3) => (value === null ? "–" : words.number(value, digits));
  return el(
    "p.note", {},
    words.t("models.shadow", { channel: held.channel, version: held.version, rows: held.rows, failures: held.failures,
      apart: text(held.prediction_mean_abs), unit: card.unit, rank: text(held.rank_correlation), ratio: text(held.latency_ratio, 2) }),
  );
}
