// What people give: a text that is pasted, or a file that is chosen or dropped.
import { el } from "../../dom.js";
import { failure } from "../../told.js";

/**
 * -> {text, chooser, told, say(line, ...notes), forget(), takeDrops(element)}. `kept`: {text, file}, of which one is
 * held; `choose(file)`: reads a file -> a promise of keep(), which keeps it as `kept.file` and says a line about it. What
 * either throws is told. A file that is read after something else was given is not kept.
 */
export function createPaste({ words, announce }, kept, { id, hint, accept, choose }) {
  let turn = 0; // of what was given last
  const told = el("div.notes", { role: "status" });
  const text = el("textarea", {
    id: `${id}-text`, rows: "7", spellcheck: "false", value: kept.text, placeholder: hint,
    oninput: () => {
      kept.text = text.value;
      forget();
    },
  });
  const chooser = el("input", { type: "file", id: `${id}-file`, accept, onchange: () => take(chooser.files[0]) });

  function forget() {
    turn += 1;
    kept.file = null;
    chooser.value = "";
    told.replaceChildren();
  }

  async function take(file) {
    if (!file) return;
    const own = ++turn;
    told.replaceChildren(el("p.quiet", {}, words.t("shell.loading")));
    try {
      const keep = await choose(file);
      if (own !== turn) return;
      const line = keep();
      kept.text = text.value = "";
      say(line);
    } catch (problem) {
      if (own !== turn) return;
      forget();
      told.replaceChildren(failure(words, problem));
    }
  }

  function say(line, ...notes) {
    announce(line);
    told.replaceChildren(el("p", {}, line), ...notes);
  }

  function takeDrops(element) {
    for (const name of ["dragenter", "dragover"])
      element.addEventListener(name, (event) => {
        event.preventDefault();
        element.classList.add("dropping");
      });
    for (const name of ["dragleave", "drop"]) element.addEventListener(name, () => element.classList.remove("dropping"));
    element.addEventListener("drop", (event) => {
      event.preventDefault();
      take(event.dataTransfer.files[0]);
    });
  }

  return { text, chooser, told, say, forget, takeDrops };
}
