// Explain: rows in, a choice of model and method, and the answer as pictures, numbers, words and files.
import { untilAnswered } from "../again.js";
import { el } from "../dom.js";
import { namesOf } from "../served.js";
import { failure } from "../told.js";
import { explain } from "./explain/answer.js";
import { createAsked } from "./explain/asked.js";
import { createAsking } from "./explain/asking.js";
import { createResult } from "./explain/result.js";
import { createSource } from "./explain/source.js";

const kept = { text: "", file: null, first: {}, second: {}, both: false, last: null }; // outlives the view: another language, another tab and back

export function mount(root, context) {
  const { words, api } = context;
  const told = el("div");
  const work = el("div.explain");
  root.append(el("h1", {}, words.t("explain.title")), told, work);
  let close = () => {};
  const stop = untilAnswered(
    () => namesOf(api),
    (models) => {
      told.replaceChildren();
      close = begin(work, context, models);
    },
    (problem) => told.replaceChildren(failure(words, problem)),
  );
  return () => {
    stop();
    close();
  };
}

function begin(root, context, models) {
  const { words, api } = context;
  const first = createAsked(context, models, words.t("explain.how_title"), () => (kept.first = { ...first.state }), kept.first);
  let second = null;
  const source = createSource(context, kept, () => first);
  const both = el("input", { type: "checkbox", id: "compare", onchange: () => compare(both.checked) });
  both.checked = kept.both;
  const other = el("div");
  const bar = el("progress", { max: "1", value: "0", "aria-label": words.t("explain.progress") });
  const done = el("span.quiet");
  const halt = el("button", { type: "button", onclick: () => asking.stop() }, words.t("explain.stop"));
  const asking = createAsking(context, kept, {
    label: words.t("explain.start"), ask, draw: (last) => createResult(context, { ...last, source }), busy: el("div.row", {}, halt, bar, done),
  });
  root.append(
    el(
      "div.ask", {}, source.element,
      el(
        "section.panel", { "aria-label": words.t("explain.how_title") },
        first.element,
        el("div.row", {}, both, el("label", { for: "compare" }, words.t("explain.compare_with"))),
        other,
        ...asking.controls,
      ),
    ),
    asking.place,
  );
  first.ready.catch(asking.fail);
  compare(kept.both);

  function compare(wanted) {
    kept.both = wanted;
    second = wanted ? createAsked(context, models, words.t("explain.second_title"), () => (kept.second = { ...second.state }), kept.second) : null;
    other.replaceChildren(...(second ? [second.element] : []));
    second?.ready.catch(asking.fail);
  }

  async function ask(signal) {
    tell(0, 1);
    await Promise.all([first.ready, second?.ready]);
    const rows = await source.rows();
    const sides = [first, second].filter(Boolean).map((side) => side.body());
    const answers = [];
    for (const [k, asked] of sides.entries())
      answers.push(await explain(api, asked, rows, (at, all) => tell(k * all + at, sides.length * all), signal));
    const last = { answer: answers[0], second: answers[1] ?? null, card: first.card };
    return { last, said: words.t("explain.answered", { count: rows.length }) };
  }

  function tell(at, all) {
    bar.value = all ? at / all : 0;
    done.textContent = at ? words.t("explain.done_of", { done: at, count: all }) : "";
  }

  if (kept.last) first.ready.then(asking.show, () => {});
  return asking.close;
}
