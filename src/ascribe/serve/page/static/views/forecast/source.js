// Which series: one that the lake knows by name, or samples that are pasted, chosen or dropped.
import { el, named } from "../../dom.js";
import { failure } from "../../told.js";
import { pastOf, readSamples } from "./samples.js";

const LARGEST = 16 << 20; // bytes of a file: what a service takes unless told otherwise

/** `kept`: {text, file, name}; `card()`: of the model that is chosen. -> {element, series(), pasts(signal)} */
export function createSource({ api, words, announce, offers }, kept, card) {
  const told = el("div.notes", { role: "status" });
  const names = el("select", { id: "series-name", onchange: () => {
    kept.name = names.value;
    draw();
  } });
  const choice = el("div.field", { hidden: true }, el("label", { for: "series-name" }, words.t("forecast.series")), names);
  const text = el("textarea", {
    id: "samples-text", rows: "7", spellcheck: "false", value: kept.text, placeholder: words.t("forecast.paste_hint"),
    oninput: () => {
      kept.text = text.value;
      kept.file = null;
      chooser.value = "";
      told.replaceChildren();
    },
  });
  const chooser = el("input", { type: "file", id: "samples-file", accept: ".csv,.json,.txt", onchange: () => chooser.files[0] && choose(chooser.files[0]) });
  const own = el(
    "div.figure", {}, el("label", { for: "samples-text" }, words.t("forecast.paste")), text,
    el("div.row", {}, el("label.choose", { for: "samples-file" }, words.t("forecast.choose")), chooser),
  );
  const element = el("section.panel.source", { "aria-label": words.t("forecast.series_title") },
    el("h2", {}, words.t("forecast.series_title")), choice, own, told);

  for (const name of ["dragenter", "dragover"])
    element.addEventListener(name, (event) => {
      event.preventDefault();
      element.classList.add("dropping");
    });
  for (const name of ["dragleave", "drop"]) element.addEventListener(name, () => element.classList.remove("dropping"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) choose(event.dataTransfer.files[0]);
  });

  async function choose(file) {
    try {
      if (file.size > LARGEST) throw new Error(words.t("forecast.file_large", { name: file.name }));
      kept.file = { name: file.name, text: await file.text() };
      kept.name = names.value = "";
      kept.text = text.value = "";
      draw();
      const found = read();
      const line = words.t("forecast.file_read", { name: file.name, series: found.length, count: found.reduce((sum, one) => sum + one.values.length, 0) });
      told.replaceChildren(el("p", {}, line));
      announce(line);
    } catch (problem) {
      kept.file = null;
      chooser.value = "";
      told.replaceChildren(failure(words, problem));
    }
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
