// The page: what all views share, the bar above them, and which of them is shown.
import { createApi } from "./api.js";
import { el } from "./dom.js";
import { offers } from "./offers.js";
import { parse } from "./router.js";
import { createServed } from "./served.js";
import { createStream } from "./stream.js";
import { THEMES, createTheme } from "./theme.js";
import { askToken } from "./token.js";
import { LANGUAGES, createWords } from "./words.js";
import { views } from "./views/index.js";

const OTHERS_MS = 3000; // until the other views are loaded, so that they are there when the service is not

// No text becomes HTML. The chart library empties its box with an empty one; that much is let through.
globalThis.trustedTypes?.createPolicy("default", { createHTML: (text) => (text === "" ? "" : null) });

const at = (id) => document.getElementById(id);
const words = createWords();
const theme = createTheme();
const api = createApi(() => askToken(words, Boolean(api.token)));
const stream = createStream(api);
const served = createServed(api);
const here = views.filter((view) => view.here(offers));
const title = (view) => words.t(`${view.id}.title`);

let shown = null; // {view, unmount, moved}

const context = {
  api, stream, words, theme, offers, served,
  go: (hash) => (location.hash = hash),
  announce: (text) => (at("said").textContent = text),
};

async function show() {
  const now = parse(location.hash);
  const view = here.find((one) => one.id === now.id) ?? here[0];
  if (shown?.view === view && shown.moved) {
    shown.moved(now);
    return;
  }
  const root = el("div.view");
  const next = { view, moved: null, unmount: null };
  hide();
  shown = next;
  at("main").replaceChildren(root);
  document.title = `${title(view)} · Ascribe`;
  mark();
  try {
    const { mount } = await view.load();
    if (shown !== next) return; // somebody went on meanwhile
    next.unmount = mount(root, { ...context, route: now, onRoute: (call) => (next.moved = call) });
  } catch (error) {
    console.error(error);
    root.replaceChildren(el("p.bad", { role: "alert" }, words.t("shell.view_failed")));
  }
}

function mark() {
  for (const link of at("views").children)
    if (link.dataset.view === shown?.view.id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
}

function hide() {
  shown?.unmount?.();
  shown = null;
}

function bar() {
  at("skip").textContent = words.t("shell.skip");
  at("views").setAttribute("aria-label", words.t("shell.views"));
  links();
  at("token").textContent = words.t("shell.token");
  choices("language", words.t("shell.language"), Object.entries(LANGUAGES), words.language);
  choices("theme", words.t("shell.theme"), THEMES.map((name) => [name, words.t(`shell.theme_${name}`)]), theme.choice);
  live();
}

/** Views that some models alone have are listed once such a model is known. */
function links() {
  const listed = here.filter((view) => view.listed?.(served.cards) ?? true);
  at("views").replaceChildren(
    ...listed.map((view) => el("a", { href: `#/${view.id}`, "data-view": view.id }, title(view))),
  );
  mark();
}

function choices(id, label, options, chosen) {
  at(id).setAttribute("aria-label", label);
  at(id).replaceChildren(...options.map(([value, text]) => el("option", { value, selected: value === chosen }, text)));
}

function live() {
  at("stream").hidden = !offers.lake || stream.state === "none";
  at("stream").dataset.state = stream.state;
  at("stream").textContent = words.t(`shell.stream_${stream.state}`);
}

at("language").addEventListener("change", (event) => words.choose(event.target.value));
at("theme").addEventListener("change", (event) => theme.choose(event.target.value));
at("token").addEventListener("click", async () => {
  const token = await askToken(words, false);
  if (token === null) return;
  api.token = token;
  stream.again();
  served.load();
  hide();
  show();
});
at("skip").addEventListener("click", (event) => {
  event.preventDefault();
  at("main").focus();
});
words.onChange(() => {
  bar();
  hide();
  show();
});
stream.onState(live);
addEventListener("hashchange", show);
addEventListener("online", () => stream.again());
stream.on("again", () => served.load()); // others may answer since

served.onChange(links);
bar();
show();
if (offers.lake) stream.start();
served.load();
setTimeout(() => here.forEach((view) => view.load().catch(() => {})), OTHERS_MS); // what is wrong is said when it is shown
