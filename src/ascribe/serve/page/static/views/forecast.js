// Forecast: a model and series in, the past with the curve and its bounds, and what the forecast looked at and hangs on.
import { el } from "../dom.js";
import { failure } from "../told.js";
import { createResult } from "./forecast/result.js";
import { createSource } from "./forecast/source.js";
import { createWish } from "./forecast/wish.js";

const kept = { text: "", file: null, name: "", wish: {}, last: null }; // outlives the view: another language, another tab and back

export const view = {
  id: "forecast",
  here: ({ guest }) => !guest,
  listed: (cards) => cards.some((card) => card.forecast),
  title: (words) => words.t("forecast.title"),

  mount(root, context) {
    const { words, served } = context;
    const told = el("div");
    const work = el("div.explain");
    root.append(el("h1", {}, words.t("forecast.title")), told, work);
    let close = null;

    function begun() {
      if (close || !served.loaded) return;
      const cards = served.cards.filter((card) => card.forecast);
      told.replaceChildren(
        ...(served.problem ? [failure(words, served.problem)] : cards.length ? [] : [el("p.note", {}, words.t("forecast.none"))]),
      );
      if (cards.length) close = begin(work, context, cards);
    }

    const off = served.onChange(begun);
    begun();
    return () => {
      off();
      close?.();
    };
  },
};

function begin(root, context, cards) {
  const { words, api, announce } = context;
  const wish = createWish(context, cards, kept.wish);
  const source = createSource(context, kept, () => wish.card);
  const told = el("div");
  const start = el("button.main", { type: "button", onclick: run }, words.t("forecast.start"));
  const place = el("div");
  let result = null;
  let stop = null;
  root.append(
    el("div.ask", {}, source.element,
      el("section.panel", { "aria-label": words.t("forecast.how") }, wish.element, el("div.row", {}, start), told)),
    place,
  );

  async function run() {
    stop?.abort();
    const own = (stop = new AbortController());
    told.replaceChildren(el("p.quiet", { role: "status" }, words.t("shell.loading")));
    start.disabled = true;
    try {
      const series = source.series();
      const asked = wish.body();
      const [answer, pasts] = await Promise.all([
        api.post("/v1/forecasts", { ...asked, series }, {}, { signal: own.signal }), source.pasts(own.signal),
      ]);
      kept.last = { asked, series, answer, pasts, card: wish.card };
      show();
      announce(words.t("forecast.answered", { count: answer.forecasts.length }));
      told.replaceChildren();
    } catch (problem) {
      if (problem.name !== "AbortError") told.replaceChildren(failure(words, problem));
    } finally {
      if (stop === own) start.disabled = false;
    }
  }

  function show() {
    result?.close();
    result = createResult(context, kept.last);
    place.replaceChildren(result.element);
  }

  if (kept.last) show();
  return () => {
    stop?.abort();
    result?.close();
  };
}
