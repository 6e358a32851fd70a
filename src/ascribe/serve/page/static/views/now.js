// Now: all nodes in a table, and one of them opened.
import { el } from "../dom.js";
import { route } from "../router.js";
import { namesOf } from "../served.js";
import { failure } from "../told.js";
import { createDetail } from "./now/detail.js";
import { createList } from "./now/list.js";
import { createNodes } from "./now/nodes.js";

const REPLAYED = "replay/"; // names that a replay gives to its nodes
const WIDE_PX = 900; // from here on there is room to open a node without being asked

export function mount(root, context) {
  const { words, api, stream, offers, served } = context;
  if (!offers.lake) {
    root.append(el("h1", {}, words.t("now.title")), el("p.note", { role: "status" }, words.t("now.no_lake")));
    return () => {};
  }
  const head = el("div.row.ends");
  const told = el("div");
  const replay = el("div");
  const still = el("div", { role: "status" });
  const beside = el("div.beside");
  root.append(head, told, still, replay, beside);

  const nodes = createNodes(context);
  const list = createList(context, nodes, (node) => context.go(route("now", [node], query())));
  beside.append(list.element);
  const models = el("select", { "aria-label": words.t("now.model"), hidden: true, onchange: () => open(models.value) });
  const follows = el("span.quiet");
  head.append(el("h1", {}, words.t("now.title")), el("div.row", {}, follows, models));

  let detail = null;
  let wanted = context.route.rest[0] ?? null;
  let alone = context.route.query.has("all");
  let names = []; // what can be asked for, where there is a choice
  let looking = null; // for them
  let looked = false;
  let closed = false;

  const query = () => (nodes.model ? { model: nodes.model } : {});

  function open(model) {
    nodes.choose(model);
    choices();
    detail?.close();
    detail = null;
  }

  function show() {
    const replayed = [...nodes.all.keys()].some((name) => name.startsWith(REPLAYED));
    replay.replaceChildren(...(replayed ? [el("p.note", {}, words.t("now.replay"))] : []));
    follows.textContent = nodes.version
      ? words.t("now.served", { count: nodes.all.size, model: nodes.name, version: nodes.version, tier: nodes.tier })
        + (nodes.not_followed > 0 ? ` ${words.t("now.not_followed", { count: nodes.not_followed })}` : "")
      : "";
    several();
    told.replaceChildren(...(nodes.problem && (looked || !unsaid()) ? [failure(words, nodes.problem)] : []));
    if (!nodes.problem && nodes.loaded && !nodes.all.size) told.replaceChildren(el("p.note", {}, words.t("now.none")));
    const name = wanted ?? (alone ? null : (detail?.name ?? (innerWidth >= WIDE_PX ? list.first() : null)));
    if (!name && detail) shut();
    if (name && nodes.loaded && !nodes.problem) turn(name);
  }

  function shut() {
    detail.close();
    detail = null;
    beside.classList.remove("opened");
    list.mark(null);
  }

  function turn(name) {
    if (detail?.name === name) return;
    detail?.close();
    detail = nodes.all.has(name) ? createDetail(context, nodes, name) : missing(name);
    beside.append(detail.element);
    beside.classList.add("opened");
    list.mark(name);
    if (wanted && innerWidth < WIDE_PX) detail.element.scrollIntoView();
  }

  function missing(name) {
    const element = el("p.note", { role: "status" }, words.t("now.unknown", { node: name }));
    return { name: null, element, close: () => element.remove() };
  }

  context.onRoute(({ rest, query: asked }) => {
    wanted = rest[0] ?? null;
    alone = asked.has("all");
    show();
  });
  const off = nodes.onChange(show);
  const heard = () => still.replaceChildren(...(stream.state === "none" ? [el("p.note.warn", {}, words.t("now.no_stream"))] : []));
  const offStream = stream.onState(heard);
  heard();
  nodes.choose(context.route.query.get("model") ?? "");

  /** Several models or channels are served, and nobody has said yet which one to look at. */
  function unsaid() {
    return !nodes.model && nodes.problem?.status === 400;
  }

  /** Tables of numbers come first: of other rows, and of forecasts, no moments are kept. */
  async function look() {
    const found = await namesOf(api).catch(() => []);
    if (closed) return;
    const usual = (name) => !name.includes("@") || name.endsWith("@production");
    const fits = (name) => served.cards.some((card) => card.name === name.split("@")[0] && card.layout === "table" && !card.forecast);
    looked = true;
    names = [...found.filter(fits), ...found.filter((name) => !fits(name))];
    if (unsaid() && names.length) open(names.find((name) => fits(name) && usual(name)) ?? names[0]);
    choices();
    show();
  }

  function several() {
    if (served.loaded && (served.cards.length > 1 || nodes.model.includes("@") || unsaid())) looking ??= look();
  }

  function choices() {
    models.replaceChildren(...names.map((name) => el("option", { value: name }, name)));
    models.value = [nodes.model, nodes.name, `${nodes.name}@${nodes.channel}`].find((name) => names.includes(name)) ?? "";
    models.hidden = names.length < 2;
  }

  const offServed = served.onChange(several);
  several();
  return () => {
    closed = true;
    off();
    offStream();
    offServed();
    detail?.close();
    list.close();
    nodes.close();
  };
}
