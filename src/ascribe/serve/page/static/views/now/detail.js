// One node, opened: its watts over time, a chosen moment taken apart, what changed since another one, and its energy.
import { headed } from "../../blocks.js";
import { el, named } from "../../dom.js";
import { failure } from "../../told.js";
import { createChange } from "./change.js";
import { createEnergy } from "./energy.js";
import { createHistory } from "./history.js";
import { createOverTime } from "./over_time.js";
import { createPicked } from "./picked.js";
import { createTaken } from "./taken_apart.js";
import { paced } from "./pace.js";
import { remarks } from "./warnings.js";

const ALL = "#/now?all=1"; // the table alone, with all its columns
const ASKED_MS = 2000; // what was put off or refused is asked for again, also where nothing new comes
const SOON_MS = 3000; // a service that has just started is still taking up what lies in its lake: so often it is asked,
const TRIES = 10; // so many times, while the chart ends before the node's newest moment
const AGAIN_MS = 30000; // means of a long window grow only by asking
const DRAWN_MS = 1000;
const WINDOWS = [5, 15, 60, 360, 1440]; // minutes

export function createDetail(context, nodes, name) {
  const { words, api } = context;
  const minutes = el("select", { id: "window", onchange: () => history.load(minutes.value * 60e6) },
    WINDOWS.map((m) => el("option", { value: m, selected: m === 15 }, words.t(`now.windows.${m}`))));
  const title = el("h2", { id: "node-title" }, named(name, 80));
  const figures = el("dl.figures");
  const notes = el("div.notes");
  const problem = el("div");
  const draw = paced(DRAWN_MS, drawn);

  const history = createHistory(api, name, () => nodes.model, () => draw.now());
  const picked = createPicked(context, history, () => draw());
  const overTime = createOverTime(context, nodes, history, picked);
  const taken = createTaken(context, nodes, name, history, picked);
  const change = createChange(context, nodes, name, history, picked);
  const energy = createEnergy(context, nodes, name, history);

  const energies = el("div.panel", {}, energy.element);
  const element = el(
    "section.detail", { "aria-labelledby": "node-title" },
    el(
      "div.panel", {},
      headed(title, el("div.row", {}, el("label", { for: "window" }, words.t("now.window")), minutes, el("a", { href: ALL }, words.t("now.close")))),
      figures, notes, problem, overTime.element,
    ),
    el("div.panel", {}, taken.element),
    el("div.panel", {}, change.element),
    energies,
  );

  function drawn() {
    const now = nodes.all.get(name);
    if (now) {
      const watts = (key, value, write = words.number) => [
        el(`div.${key}`, {}, el("dt", {}, words.t(`now.${key}`)),
          el("dd.num", {}, Number.isFinite(value) ? `${write(value)} ${nodes.unit}` : words.t("now.unread"))),
      ];
      figures.replaceChildren(
        ...watts("measured", now.measured_w), ...watts("predicted", now.prediction_w),
        ...watts("unexplained", now.unexplained_w, words.signed),
        el("div", {}, el("dt", {}, words.t("now.at")), el("dd.num", {}, words.time(now.timestamp_us))),
      );
      const text = remarks(words, now).map(({ code, long }) => el("p.note.warn", { "data-code": code }, long));
      const key = text.map((note) => note.textContent).join();
      if (notes.dataset.key !== key) notes.replaceChildren(...text);
      notes.dataset.key = key;
    }
    problem.replaceChildren(...(history.problem ? [failure(words, history.problem)] : []));
    if (history.loaded && !history.t_us.length) problem.replaceChildren(el("p.note", {}, words.t("now.no_moments")));
    picked.draw();
    overTime.draw();
    taken.draw();
    change.draw();
    energies.hidden = nodes.unit !== "W"; // nothing else adds up to energy
    if (!energies.hidden) energy.draw();
  }

  const offs = [
    nodes.onMoment((one) => one.node === name && (history.add(one), draw())),
    context.stream.on("again", () => history.load()),
    context.stream.on("lost", () => history.load()),
    context.theme.onChange(() => draw()),
  ];
  history.load();
  const timers = [
    setInterval(() => {
      taken.draw();
      change.draw();
    }, ASKED_MS),
    setInterval(() => history.load(), AGAIN_MS),
  ];
  let soon = 0;
  const look = async (tries) => {
    await history.load();
    if (history.behind(nodes.all.get(name)?.timestamp_us ?? 0) && tries > 1 && element.isConnected) lookSoon(tries - 1);
  };
  const lookSoon = (tries = TRIES) => {
    clearTimeout(soon);
    soon = setTimeout(() => look(tries), SOON_MS);
  };
  lookSoon();
  offs.push(context.stream.on("again", () => lookSoon()));

  return {
    name,
    element,
    close() {
      draw.stop();
      timers.forEach(clearInterval);
      clearTimeout(soon);
      offs.forEach((off) => off());
      [overTime, taken, change].forEach((part) => part.close());
      element.remove();
    },
  };
}
