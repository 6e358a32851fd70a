// Models: what answers now, where channels point and how they came there, every version and what the gate said, drift.
import { AGAIN_MS as LATER_MS, passing } from "../again.js";
import { headed, keepingOpen } from "../blocks.js";
import { el } from "../dom.js";
import { route } from "../router.js";
import { failure } from "../told.js";
import { channels } from "./models/channels.js";
import { drift } from "./models/drift.js";
import { createMoves } from "./models/moves.js";
import { served } from "./models/served.js";
import { versions } from "./models/versions.js";

const AGAIN_MS = 1000; // while the gate is judging

export function mount(root, context) {
  const { words, api, stream } = context;
  const choice = el("select", { "aria-label": words.t("models.model"), hidden: true, onchange: () => context.go(route("models", [choice.value])) });
  const told = el("div");
  const place = el("div.models");
  root.append(headed(el("h1", {}, words.t("models.title")), choice), told, place);
  const moves = createMoves(context, () => load(true));
  let wanted = context.route.rest[0] ?? null;
  let drawn = [];
  let closed = false;
  let turn = 0;
  let timer = 0;

  async function load(again = false) {
    const own = ++turn;
    clearTimeout(timer);
    try {
      const { models } = await api.get("/v1/models");
      choice.replaceChildren(...models.map((name) => el("option", { value: name }, name)));
      choice.hidden = models.length < 2;
      const name = wanted !== null && models.includes(wanted) ? wanted : models[0];
      choice.value = name;
      const at = `/v1/models/${encodeURIComponent(name)}`;
      const [card, held, found, caller] = await Promise.all([
        api.get(at), api.get(`${at}/versions`), api.get(`${at}/drift`), api.get("/v1/caller"),
      ]);
      if (closed || own !== turn) return;
      show(card, held, found, caller);
      told.replaceChildren();
      if (held.promotions.some(({ state }) => state === "judging")) timer = setTimeout(load, AGAIN_MS, true);
    } catch (problem) {
      if (closed || own !== turn) return;
      told.replaceChildren(failure(words, problem));
      if (!again) place.replaceChildren();
      if (passing(problem)) timer = setTimeout(load, LATER_MS, again);
    }
  }

  function show(card, held, found, caller) {
    drawn.splice(0).forEach((drawing) => drawing.dispose());
    const parts = [
      served(context, card), channels(context, held, caller, moves), versions(context, held, caller, moves), drift(context, found, drawn),
    ];
    keepingOpen(place, () => place.replaceChildren(...parts));
  }

  context.onRoute(({ rest }) => {
    wanted = rest[0] ?? null;
    load();
  });
  const offs = ["version", "again", "lost"].map((name) => stream.on(name, () => load(true)));
  load();
  return () => {
    closed = true;
    clearTimeout(timer);
    offs.forEach((off) => off());
    drawn.forEach((drawing) => drawing.dispose());
    moves.close();
  };
}
