// What the forecast looked at beside what it hangs on, and whether the two agree.
import { panel, ramp } from "../../blocks.js";
import { el, named } from "../../dom.js";
import { rankCorrelation } from "../../ranks.js";
import { folded, table } from "../../table.js";
import { pictureHead } from "../explain/downloads.js";
import { between, decimals, mixed, styled } from "../explain/scale.js";
import { attended, byDay, heaviest, sizes } from "./days.js";
import { grid } from "./grid.js";

const FEWEST = 3; // days: a rank correlation of two is 1 or -1, whatever they are
const [LARGELY, IN_PART] = [0.7, 0.3];

/** `told`: one forecast; `card`: of its model; `keep(drawing)`: to be thrown away with the answer. */
export function inside(context, told, card, keep) {
  const { words } = context;
  const found = told.attribution;
  const parts = [];
  if (!found && !told.attention.length) return null;
  const held = found && Object.keys(found.shares).length ? byDay(found) : null;
  const layer = told.attention[0];
  if (found && (found.status !== "ok" || !held)) parts.push(el("p.note.warn", {}, found.reason || found.status));
  if (held && layer) parts.push(agreement(words, held, attended(layer, card.forecast, held.days), found.output));
  const maps = el("div.maps", {}, ...told.attention.map((one) => attentionMap(context, one, told, keep)), held ? shareMap(context, held, found, keep) : null);
  return panel(words.t("forecast.inside"), ...parts, maps);
}

/** In words; `seen`: attention by day, null where nobody knows which days its keys are. */
function agreement(words, held, seen, output) {
  const said = words.t("forecast.not_shares");
  if (!seen) return el("p", {}, words.t("forecast.no_days"), " ", said);
  const weight = sizes(held);
  const [most, main] = [heaviest(seen), heaviest(weight)];
  const day = (k) => daysAgo(words, held.days[k]);
  const percent = (share) => words.number(100 * share, 1);
  const values = {
    count: held.days.length, attention: day(most), share: percent(seen[most]), even: percent(1 / held.days.length), shares: day(main), output,
  };
  const where = words.t(most === main ? "forecast.same_day" : "forecast.other_day", values);
  if (held.days.length < FEWEST) return el(most === main ? "p.note" : "p.note.warn", {}, where, " ", said);
  const rho = rankCorrelation(seen, weight);
  const how = rho === null ? "unranked" : rho >= LARGELY ? "agree" : rho >= IN_PART ? "agree_partly" : "disagree";
  const told = words.t(`forecast.${how}`, { ...values, rho: words.number(rho, 2) });
  return el(how === "agree" && most === main ? "p.note" : "p.note.warn", {}, told, " ", where, " ", said);
}

const daysAgo = (words, k) => words.t(k === 1 ? "forecast.day_ago" : "forecast.days_ago", { count: k });

function attentionMap(context, layer, told, keep) {
  const { words } = context;
  const { query, key, weights } = layer;
  const most = Math.max(...weights, 1e-12);
  const values = query.map((_, q) => key.map((_, k) => weights[q * key.length + k]));
  const percent = (share) => `${words.number(100 * share, 2)} %`;
  const drawn = keep(grid(context, {
    rows: query, columns: key, values, rowPx: query.length > 20 ? Math.max(2, Math.floor(440 / query.length)) : 22,
    shade: (colours) => (value) => mixed(colours.ground, styled("one"), value / most),
    tell: (q, k, value) => [`${query[q]} → ${key[k]}`, percent(value)],
    below: words.t("forecast.attention_axis"), label: words.t("forecast.attention_label", { layer: layer.layer }),
  }));
  const rows = query.flatMap((q, i) => key.map((k, j) => ({ q, k, value: values[i][j] }))).sort((a, b) => b.value - a.value).slice(0, 60);
  const made = table(words.t("forecast.attention_rows", { count: rows.length, all: weights.length }),
    [{ label: words.t("forecast.query") }, { label: words.t("forecast.key") }, { label: words.t("forecast.weight"), numeric: true }],
    rows.map(({ q, k, value }) => [named(q, 40), named(k, 40), percent(value)]), "weights");
  return el("figure.figure", {},
    pictureHead(context, el("h3", {}, words.t("forecast.attention"), ": ", named(layer.layer, 40)), drawn, "attention"),
    ramp("looked", "0", percent(most)),
    drawn.element, folded(words, made, words.t("forecast.attention")));
}

function shareMap(context, held, found, keep) {
  const { words } = context;
  const { days, inputs } = held;
  const unit = found.unit || "1";
  const most = Math.max(...held.grid.flat().map((one) => Math.abs(one?.share ?? 0)), 1e-12);
  const digits = decimals([most]);
  const drawn = keep(grid(context, {
    rows: inputs, columns: days.map((day) => daysAgo(words, day)), values: held.grid.map((row) => row.map((one) => one?.share ?? null)),
    shade: (colours) => {
      const shade = between(colours);
      return (value) => shade(value / most);
    },
    tell: (i, d, value) => [`${inputs[i]}, ${daysAgo(words, days[d])}`, `${words.signed(value, digits)} ${unit}`],
    below: words.t("forecast.shares_axis"), label: words.t("forecast.shares_label", { output: found.output }),
  }));
  const rows = inputs.flatMap((input, i) => days.map((day, d) => ({ input, day, one: held.grid[i][d] }))).filter(({ one }) => one)
    .sort((a, b) => Math.abs(b.one.share) - Math.abs(a.one.share));
  const made = table(words.t("forecast.shares"),
    [{ label: words.t("forecast.input") }, { label: words.t("forecast.day") }, { label: words.t("explain.share_axis", { unit }), numeric: true }, { label: words.t("explain.stderr"), numeric: true }],
    rows.map(({ input, day, one }) => [named(input, 40), daysAgo(words, day), words.signed(one.share, digits), one.error ? `± ${words.number(one.error, digits)}` : ""]), "shares");
  const sum = found.additive && Number.isFinite(found.base_value)
    ? words.t("forecast.sum", { base: words.number(found.base_value, digits), prediction: words.number(found.prediction, digits), unit, output: found.output }) : "";
  return el("figure.figure", {},
    pictureHead(context, el("h3", {}, words.t("forecast.shares_of", { output: found.output })), drawn, "shares"),
    ramp("heat", `−${words.number(most, digits)} ${unit}`, `+${words.number(most, digits)} ${unit}`),
    drawn.element, el("p.quiet", {}, sum, " ", words.t("forecast.how_shared", { method: found.method, game: found.game })),
    folded(words, made, words.t("forecast.shares")));
}
