// An answer, drawn: which series, its curve, what the forecast looked at and hangs on, and what can be taken along.
import { facts, headed } from "../../blocks.js";
import { el, named } from "../../dom.js";
import { folded, table } from "../../table.js";
import { pictureHead } from "../explain/downloads.js";
import { decimals } from "../explain/scale.js";
import { statusText } from "../explain/list.js";
import { createClock } from "./clock.js";
import { curve } from "./curve.js";
import { inside } from "./inside.js";
import { takeAlong } from "./take_along.js";
import { duration } from "./wish.js";

/** `last`: {asked, series, answer, pasts, card}. */
export function createResult(context, last) {
  const { words } = context;
  const { answer, pasts, card } = last;
  const drawn = [];
  const place = el("div.results");
  const called = (one, at) => one.name || words.t("forecast.series_number", { number: at + 1 });
  const choice = el("select", { "aria-label": words.t("forecast.series"), hidden: answer.forecasts.length < 2, onchange: () => show(Number(choice.value)) },
    answer.forecasts.map((one, at) => el("option", { value: String(at) }, named(called(one, at), 80).textContent)));
  const element = el("div.results", {},
    headed(el("h2", {}, words.t("forecast.answer")), choice), place, takeAlong(context, last));

  const keep = (drawing) => {
    drawn.push(drawing);
    return drawing;
  };

  function clear() {
    drawn.splice(0).forEach((drawing) => drawing.dispose());
  }

  function show(at) {
    clear();
    const told = answer.forecasts[at];
    const name = called(told, at);
    const heading = el("h2", {}, named(name, 60));
    if (!told.forecast.length) {
      place.replaceChildren(el("section.panel", { "aria-label": words.t("forecast.curve") }, heading, el("p.note.bad", {}, told.reason || statusText(words, told.status))));
      return;
    }
    const clock = createClock(words.language, answer.zone, told.epoch_s[0]);
    const line = keep(curve(context, pasts[at] ?? { t_s: [], values: [] }, told, answer, card, clock, words.t("forecast.curve_label", { series: name })));
    const [low, high] = answer.levels.map((level) => words.number(100 * level, 0));
    const doubt = told.status === "ok" ? null : el("p.note.warn", {}, told.reason || statusText(words, told.status));
    place.replaceChildren(...[
      el("section.panel", { "aria-label": words.t("forecast.curve") },
        pictureHead(context, heading, line, "forecast"),
        doubt, summary(told, clock),
        el("p.quiet", {}, words.t("forecast.curve_how"), " ", told.lower.length ? words.t("forecast.band", { low, high }) : ""),
        line.element, numbers(told, clock)),
      inside(context, told, card, keep),
    ].filter(Boolean));
  }

  function summary(told, clock) {
    const peak = told.forecast.indexOf(Math.max(...told.forecast));
    const digits = decimals(told.forecast);
    return facts(words, [
      ["forecast.model", `${answer.model} ${answer.version}`],
      ["forecast.peak", `${words.number(told.forecast[peak], digits)} ${answer.unit}, ${clock.full(told.epoch_s[peak])}`],
      ["forecast.steps", words.t("forecast.steps_of", { count: told.forecast.length, step: duration(words, answer.step_s) })],
      ["forecast.filled", words.t("forecast.filled_of", { count: told.filled, all: card.forecast.context })],
    ]);
  }

  function numbers(told, clock) {
    const digits = decimals(told.forecast);
    const bounds = told.lower.length > 0;
    const cell = (values, k) => words.number(values[k], digits);
    const made = table(words.t("forecast.table", { unit: answer.unit || "1", zone: clock.zone }),
      [{ label: words.t("forecast.time") }, { label: words.t("forecast.forecast"), numeric: true },
        ...(bounds ? [{ label: words.t("forecast.lower"), numeric: true }, { label: words.t("forecast.upper"), numeric: true }] : [])],
      told.epoch_s.map((t, k) => [clock.full(t), cell(told.forecast, k), ...(bounds ? [cell(told.lower, k), cell(told.upper, k)] : [])]), "curve");
    return folded(words, made, words.t("forecast.curve"));
  }

  show(Math.max(0, answer.forecasts.findIndex((one) => one.forecast.length)));
  return { element, close: clear };
}
