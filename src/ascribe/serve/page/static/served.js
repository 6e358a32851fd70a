// Which models answer here and what each is: for views that some models alone have. What is wrong is said by the views.
import { createHeard } from "./heard.js";

/** served.cards: [card of GET /v1/models/NAME] in the service's order; served.onChange(f) -> off; served.load() */
export function createServed(api) {
  const heard = createHeard();
  let turn = 0;

  const served = {
    cards: [],
    loaded: false,
    problem: null,
    async load() {
      const own = ++turn;
      try {
        const { models } = await api.get("/v1/models");
        const cards = await Promise.all(models.map((name) => api.get(`/v1/models/${encodeURIComponent(name)}`)));
        if (own !== turn) return;
        Object.assign(served, { cards, loaded: true, problem: null });
      } catch (problem) {
        if (own !== turn) return;
        Object.assign(served, { cards: [], loaded: true, problem });
      }
      heard.tell();
    },
    onChange: heard.on,
  };
  return served;
}
