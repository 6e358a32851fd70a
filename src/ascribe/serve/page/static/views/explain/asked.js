// How to explain: model, output, space, method, and one of tier, latency or error. Only what the model lists is offered.
import { field } from "../../blocks.js";
import { el } from "../../dom.js";

let made = 0;

/** -> {element, ready, card, state, body()}: `body` is the request without rows; `changed()` is called after each choice. */
export function createAsked(context, models, heading, changed, kept = {}) {
  const { api, words } = context;
  const own = `asked-${++made}`;
  const state = { model: models[0] ?? "", output: "", space: "", method: "", how: "tier", tier: "balanced", ms: "10", error: "0.5", ...kept };
  if (!models.includes(state.model)) state.model = models[0] ?? "";
  let card = null;
  let told = null;
  let loading = null;
  let failed = false;

  const fields = {
    model: choice("model"), output: choice("output"), space: choice("space"), how: choice("how"),
    tier: choice("tier"), method: choice("method"),
    ms: input("ms", { min: "0.01", step: "any" }), error: input("error", { min: "0.000001", step: "any" }),
  };
  const element = el(
    "fieldset.asked", {}, el("legend", {}, heading),
    ...Object.values(fields).map((field) => field.element),
  );

  function choice(name) {
    const select = el("select", { id: `${own}-${name}`, onchange: () => choose(name, select.value) });
    const element = field(words.t(`explain.${name}`), select);
    return {
      element,
      fill(options, hidden = false) {
        select.replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
        if (!options.some(([value]) => value === state[name])) state[name] = options[0]?.[0] ?? "";
        select.value = state[name];
        element.hidden = hidden || !options.length;
      },
    };
  }

  function input(name, limits) {
    const box = el("input", {
      id: `${own}-${name}`, type: "number", value: state[name], ...limits, oninput: () => choose(name, box.value),
    });
    const element = field(words.t(`explain.${name}`), box);
    return { element, label: element.firstChild };
  }

  function choose(name, value) {
    state[name] = value;
    if (name === "model") begin(); // what goes wrong is told when rows are sent
    else if (told) fill();
    changed(name);
  }

  async function load() {
    const name = state.model;
    const at = encodeURIComponent(name);
    const found = await Promise.all([api.get(`/v1/models/${at}`), api.get(`/v1/models/${at}/explainers`)]);
    if (name !== state.model) return loading; // another one was chosen meanwhile
    [card, told] = found;
    fill();
  }

  function fill() {
    fields.model.fill(models.map((name) => [name, name]), models.length < 2);
    const outputs = told.classes.length
      ? [["", words.t("explain.predicted_class")], ...told.classes.map((name) => [name, name])]
      : told.outputs.map(({ output, unit }) => [output, unit ? `${output}, ${unit}` : output]);
    fields.output.fill(outputs, outputs.length < 2);
    fields.space.fill(told.spaces.map((name) => [name, name]), told.spaces.length < 2);
    const one = told.outputs.find(({ output }) => output === state.output) ?? told.outputs[0];
    fields.method.fill(offered(one).map((name) => [name, name === one.usual ? words.t("explain.usual_method", { name }) : name]));
    const tiered = Object.keys(one.tiers).length > 0;
    fields.how.fill([...(tiered ? ["tier", "latency"] : []), "method", "target"].map((name) => [name, words.t(`explain.how_${name}`)]));
    fields.tier.fill(Object.entries(one.tiers).map(([name, tier]) => [name, tierText(name, tier, one.unit)]), state.how !== "tier");
    fields.method.element.hidden = state.how === "tier" || state.how === "latency";
    fields.ms.element.hidden = state.how !== "latency";
    fields.error.element.hidden = state.how !== "target";
    fields.error.label.textContent = words.t("explain.error", { unit: one.unit || "1" });
  }

  function tierText(name, tier, unit) {
    const ms = tier.latency_ms?.["1"];
    const parts = [
      ...(ms === undefined ? [] : [words.t("explain.tier_ms", { ms: words.number(ms, ms < 10 ? 2 : 0) })]),
      ...(tier.stderr === null || tier.stderr === undefined ? [] : [`± ${words.number(tier.stderr, 2)} ${unit}`]),
    ];
    return parts.length ? `${name}: ${parts.join(", ")}` : name;
  }

  function begin() {
    failed = false;
    loading = load();
    loading.catch(() => (failed = true));
  }

  begin();

  return {
    element,
    get card() {
      return card;
    },
    get state() {
      return state;
    },
    /** Settled once what was chosen last is known; what could not be had is asked for again. */
    get ready() {
      if (failed) begin();
      return loading;
    },
    /** The fields of a request; throws the words of what is missing. */
    body() {
      const asked = { model: state.model };
      if (state.output) asked.output = state.output;
      if (state.space) asked.space = state.space;
      if (state.how === "tier") return { ...asked, tier: state.tier };
      if (state.how === "latency") return { ...asked, max_latency_ms: above(state.ms, words.t("explain.ms")) };
      asked.method = state.method;
      if (state.how === "target") asked.target_stderr = above(state.error, fields.error.label.textContent);
      return asked;
    },
  };

  function above(text, what) {
    const number = Number(text);
    if (!(number > 0)) throw new Error(words.t("explain.above_zero", { what }));
    return number;
  }
}

/** Methods that the REST door answers, the usual one first. */
function offered(output) {
  const rest = output.methods.filter((name) => (output.details[name]?.where ?? ["rest"]).includes("rest"));
  return [...rest.filter((name) => name === output.usual), ...rest.filter((name) => name !== output.usual)];
}
