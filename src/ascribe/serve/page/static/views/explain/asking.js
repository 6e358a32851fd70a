// What views that ask something are made of: a question at a time, what goes wrong with it, and its answer drawn below.
import { el } from "../../dom.js";
import { failure } from "../../told.js";

/**
 * -> {controls, place, fail(problem), show(), close()}. `ask(signal)` -> {last, said}: what is kept of the answer, and
 * what is announced; `draw(last)` -> {element, close()}; `busy`: shown until the answer is there.
 */
export function createAsking({ words, announce }, kept, { label, ask, draw, busy }) {
  const told = el("div");
  const place = el("div");
  const start = el("button.main", { type: "button", onclick: run }, label);
  const waiting = busy ?? el("p.quiet", { role: "status" }, words.t("shell.loading"));
  let result = null;
  let stop = null;
  waiting.hidden = true;

  async function run() {
    const own = (stop = new AbortController());
    told.replaceChildren();
    [start.disabled, waiting.hidden] = [true, false];
    try {
      const { last, said } = await ask(own.signal);
      kept.last = last;
      show();
      announce(said);
    } catch (problem) {
      if (problem.name === "AbortError") told.replaceChildren(el("p.note", {}, words.t("explain.stopped")));
      else fail(problem);
    } finally {
      [start.disabled, waiting.hidden] = [false, true];
    }
  }

  const fail = (problem) => told.replaceChildren(failure(words, problem));

  function show() {
    result?.close();
    result = draw(kept.last);
    place.replaceChildren(result.element);
  }

  return {
    controls: [el("div.row", {}, start, waiting), told],
    place,
    fail,
    show,
    stop: () => stop?.abort(),
    close() {
      stop?.abort();
      result?.close();
    },
  };
}

/** `begin(cards)` -> close, once it is known that there are wanted ones; in `told` stands what is wrong, or `none`. */
export function withCards({ words, served }, told, wanted, none, begin) {
  let close = null;

  function heard() {
    if (close || !served.loaded) return;
    const cards = served.cards.filter(wanted);
    told.replaceChildren(...(served.problem ? [failure(words, served.problem)] : cards.length ? [] : [none]));
    if (cards.length) close = begin(cards);
  }

  const off = served.onChange(heard);
  heard();
  return () => {
    off();
    close?.();
  };
}
