// Which series: one that the lake knows by name, or samples that are pasted, chosen or dropped.
import { field, panel } from "../../blocks.js";
import { el, named } from "../../dom.js";
import { createPaste } from "../explain/paste.js";
import { pastOf, readSamples } from "./samples.js";

const LARGEST = 16 << 20; // bytes of a file: what a service takes unless told otherwise

/** `kept`: {text, file, name}; `card()`: of the model that is chosen. -> {element, series(), pasts(signal)} */
export function createSource(context, kept, card) {
  const { api, words, offers } = context;
  const names = el("select", { id: "series-name", onchange: () => {
    kept.name = names.value;
    draw();
  } });
  const choice = field(words.t("forecast.series"), names);
  const { text, chooser, told, takeDrops } = createPaste(context, kept, {
    id: "samples", hint: words.t("forecast.paste_hint"), accept: ".csv,.json,.txt", choose,
  });
  const own = el(
    "div.figure", {}, el("label", { for: text.id }, words.t("forecast.paste")), text,
    el("div.row", {}, el("label.choose", { for: chooser.id }, words.t("forecast.choose")), chooser),
  );
  const element = panel(words.t("forecast.series_title"), choice, own, told);
  element.classList.add("source");
  choice.hidden = true;
  takeDrops(element);

  async function choose(file) {
    if (file.size > LARGEST) throw new Error(words.t("forecast.file_large", { name: file.name }));
    const held = { name: file.name, text: await file.text() };
    return () => keep(held);
  }

  function keep(file) {
    kept.file = file;
    kept.name = names.value = "";
    draw();
    const found = read();
    return words.t("forecast.file_read", { name: file.name, series: found.length, count: found.reduce((sum, one) => sum + one.values.length, 0) });
  }

  const read = () => readSamples(words, kept.file?.text ?? kept.text, card().forecast.exogenous);

  function draw() {
    own.hidden = Boolean(kept.name);
  }

  if (offers.lake)
    api.get("/v1/series").then(({ series }) => {
      if (!series.length) return;
      names.replaceChildren(
        el("option", { value: "" }, words.t("forecast.samples")),
        ...series.map((name) => el("option", { value: name }, named(name, 80).textContent)),
      );
      if (!kept.text && !kept.file && !kept.name) kept.name = series[0];
      if (!series.includes(kept.name)) kept.name = "";
      names.value = kept.name;
      choice.hidden = false;
      draw();
    }, () => {}); // a lake that cannot be read is said when something is asked of it
  draw();

  return {
    element,
    /** -> series of a request. Throws what is wrong. */
    series: () => (kept.name ? [{ name: kept.name }] : read()),
    /** -> what was measured before the forecast, in the order of the series: [{t_s, values, observed}]. */
    async pasts(signal) {
      if (!kept.name) return read().map(pastOf);
      const held = await api.get(`/v1/series/${encodeURIComponent(kept.name)}`, {}, { signal });
      return [{ t_s: held.values.map((_, k) => held.start_s + k * held.step_s), values: held.values.map((v, k) => (held.observed[k] ? v : null)) }];
    },
  };
}
