// Which models answer here and what each is: for views that some models alone have. What is wrong is said by the views.
import { AGAIN_MS, passing } from "./again.js";
import { createHeard } from "./heard.js";

/** served.cards: [card of GET /v1/models/NAME] in the service's order; served.onChange(f) -> off; served.load() */
export function createServed(api) {
  const heard = createHeard();
  let turn = 0;
  let timer = 0;

  const served = {
    cards: [],
    loaded: false,
    problem: null,
    async load() {
      const own = ++turn;
      clearTimeout(timer);
      try {
        const { models } = await api.get("/v1/models");
        const cards = await Promise.all(models.map((name) => api.get(`/v1/models/${encodeURIComponent(name)}`)));
        if (own !== turn) return;
        Object.assign(served, { cards, loaded: true, problem: null });
      } catch (problem) {
        if (own !== turn) return;
        Object.assign(served, { cards: [], loaded: true, problem });
        if (passing(problem)) timer = setTimeout(served.load, AGAIN_MS);
      }
      heard.tell();
    },
    onChange: heard.on,
  };
  return served;
}

/** What can be asked for: NAME, or NAME@CHANNEL where several channels of it are served. */
export async function namesOf(api) {
  const { models } = await api.get("/v1/models");
  const found = await Promise.all(models.map(async (name) => {
    const channels = await api.get(`/v1/models/${encodeURIComponent(name)}/versions`, { limit: 1 }).then(
      (got) => got.channels.filter((channel) => channel.served).map((channel) => channel.name), () => [],
    );
    return channels.length < 2 ? [name] : channels.map((channel) => `${name}@${channel}`);
  }));
  return found.flat();
}
