// Forecast: a model and series in, the past with the curve and its bounds, and what the forecast looked at and hangs on.
import { el } from "../dom.js";
import { createAsking, withCards } from "./explain/asking.js";
import { createResult } from "./forecast/result.js";
import { createSource } from "./forecast/source.js";
import { createWish } from "./forecast/wish.js";

const kept = { text: "", file: null, name: "", wish: {}, last: null }; // outlives the view: another language, another tab and back

export function mount(root, context) {
  const { words } = context;
  const told = el("div");
  const work = el("div.explain");
  root.append(el("h1", {}, words.t("forecast.title")), told, work);
  const none = el("p.note", {}, words.t("forecast.none"));
  return withCards(context, told, (card) => card.forecast, none, (cards) => begin(work, context, cards));
}

function begin(root, context, cards) {
  const { words, api } = context;
  const wish = createWish(context, cards, kept.wish);
  const source = createSource(context, kept, () => wish.card);
  const asking = createAsking(context, kept, { label: words.t("forecast.start"), ask, draw: (last) => createResult(context, last) });
  root.append(
    el("div.ask", {}, source.element,
      el("section.panel", { "aria-label": words.t("forecast.how") }, wish.element, ...asking.controls)),
    asking.place,
  );

  async function ask(signal) {
    const series = source.series();
    const asked = wish.body();
    const [answer, pasts] = await Promise.all([api.post("/v1/forecasts", { ...asked, series }, {}, { signal }), source.pasts(signal)]);
    const last = { asked, series, answer, pasts, card: wish.card };
    return { last, said: words.t("forecast.answered", { count: answer.forecasts.length }) };
  }

  if (kept.last) asking.show();
  return asking.close;
}
