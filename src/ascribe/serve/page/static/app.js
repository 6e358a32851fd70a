// The page: what all views share, the bar above them, and which of them is shown.
import { createApi } from "./api.js";
import { el } from "./dom.js";
import { parse } from "./router.js";
import { createStream } from "./stream.js";
import { THEMES, createTheme } from "./theme.js";
import { askToken } from "./token.js";
import { LANGUAGES, createWords } from "./words.js";
import { views } from "./views/index.js";

// No text becomes HTML. The chart library empties its box with an empty one; that much is let through.
globalThis.trustedTypes?.createPolicy("default", { createHTML: (text) => (text === "" ? "" : null) });

const at = (id) => document.getElementById(id);
const words = createWords();
const theme = createTheme();
const api = createApi(() => askToken(words, Boolean(api.token)));
const stream = createStream(api);

let shown = null; // {view, unmount, moved}

const context = {
  api, stream, words, theme,
  go: (hash) => (location.hash = hash),
  announce: (text) => (at("said").textContent = text),
};

function show() {
  const now = parse(location.hash);
  const view = views.find((one) => one.id === now.id) ?? views[0];
  if (shown?.view === view && shown.moved) {
    shown.moved(now);
    return;
  }
  const root = el("div.view");
  const next = { view, moved: null, unmount: null };
  hide();
  shown = next;
  at("main").replaceChildren(root);
  document.title = `${view.title(words)} · Ascribe`;
  for (const link of at("views").children)
    if (link.dataset.view === view.id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  try {
    next.unmount = view.mount(root, { ...context, route: now, onRoute: (call) => (next.moved = call) });
  } catch (error) {
    console.error(error);
    root.replaceChildren(el("p.bad", { role: "alert" }, words.t("shell.view_failed")));
  }
}

function hide() {
  shown?.unmount?.();
  shown = null;
}

function bar() {
  at("skip").textContent = words.t("shell.skip");
  at("views").setAttribute("aria-label", words.t("shell.views"));
  at("views").replaceChildren(
    ...views.map((view) => el("a", { href: `#/${view.id}`, "data-view": view.id }, view.title(words))),
  );
  at("token").textContent = words.t("shell.token");
  choices("language", words.t("shell.language"), Object.entries(LANGUAGES), words.language);
  choices("theme", words.t("shell.theme"), THEMES.map((name) => [name, words.t(`shell.theme_${name}`)]), theme.choice);
  live();
}

function choices(id, label, options, chosen) {
  at(id).setAttribute("aria-label", label);
  at(id).replaceChildren(...options.map(([value, text]) => el("option", { value, selected: value === chosen }, text)));
}

function live() {
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

bar();
show();
stream.start();
