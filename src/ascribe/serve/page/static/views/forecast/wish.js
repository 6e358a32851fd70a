// What is asked of which model: the number of the forecast that is explained, and how.
import { field } from "../../blocks.js";
import { el } from "../../dom.js";

const OUTPUTS = ["peak", "mean", "total", "step"];

/** `cards`: of models that forecast. -> {element, card, body()}; `state` is kept up with each choice. */
export function createWish({ words }, cards, state) {
  const has = (name) => cards.some((card) => card.name === name);
  Object.assign(state, { model: has(state.model) ? state.model : cards[0].name, output: state.output ?? "peak", step: state.step ?? "1" });
  const models = select("model", cards.map(({ name }) => [name, name]));
  const outputs = select("output", OUTPUTS.map((name) => [name, words.t(`forecast.output_${name}`)]));
  const step = el("input", { id: "forecast-step", type: "number", min: "1", value: state.step, oninput: () => (state.step = step.value) });
  const steps = field("", step);
  const told = el("p.quiet");
  const element = el(
    "fieldset.asked", {}, el("legend", {}, words.t("forecast.how")), models, outputs, steps, told,
  );
  models.hidden = cards.length < 2;

  function select(name, options) {
    const chosen = el("select", { id: `forecast-${name}`, onchange: () => {
      state[name] = chosen.value;
      fill();
    } }, options.map(([value, text]) => el("option", { value }, text)));
    chosen.value = state[name];
    return field(words.t(`forecast.${name}`), chosen);
  }

  const card = () => cards.find(({ name }) => name === state.model);

  function fill() {
    const { context, horizon, step_s, exogenous, zone } = card().forecast;
    steps.hidden = state.output !== "step";
    step.max = horizon;
    steps.firstChild.textContent = words.t("forecast.step_of", { count: horizon });
    told.textContent = words.t("forecast.reads", { context, step: duration(words, step_s), horizon, zone })
      + (exogenous.length ? ` ${words.t("forecast.exogenous", { names: exogenous.join(", ") })}` : "");
  }

  fill();
  return {
    element,
    get card() {
      return card();
    },
    /** The fields of a request without series; throws the words of what is wrong. */
    body() {
      const { name, offers, forecast: { horizon } } = card();
      let output = state.output;
      if (output === "step") {
        const k = Number(state.step);
        if (!(Number.isInteger(k) && k >= 1 && k <= horizon)) throw new Error(words.t("forecast.step_wrong", { count: horizon }));
        output = `step ${k}`;
      }
      return { model: name, attention: offers.includes("attention"), attribution: { output } };
    },
  };
}

/** 3600 -> "1 h" */
export function duration(words, seconds) {
  for (const [unit, size] of [["days", 86400], ["hours", 3600], ["minutes", 60]])
    if (seconds % size === 0) return words.t(`forecast.${unit}`, { count: seconds / size });
  return words.t("forecast.seconds", { count: seconds });
}
