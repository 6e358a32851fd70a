// Ingest and pipeline: how far readers are, what they turned away and why, and which runs are on their way.
import { untilAnswered } from "../again.js";
import { keepingOpen } from "../blocks.js";
import { el } from "../dom.js";
import { failure } from "../told.js";
import { createReaders } from "./ingest/readers.js";
import { quarantine } from "./ingest/quarantine.js";
import { runs } from "./ingest/runs.js";

const EVERY_MS = 4000;

export function mount(root, context) {
  const { words, api, stream } = context;
  const told = el("div");
  const readers = createReaders(context);
  const bad = el("section.panel", { "aria-label": words.t("ingest.quarantine") });
  const ran = el("section.panel", { "aria-label": words.t("ingest.runs") });
  root.append(el("h1", {}, words.t("ingest.title")), told);
  let closed = false;
  let sees = false;
  let timer = 0;
  let seen = "";

  async function look() {
    clearTimeout(timer);
    try {
      const [status, rows, records] = await Promise.all([api.get("/v1/status"), sees ? api.get("/v1/quarantine") : null, api.get("/v1/runs")]);
      if (closed) return;
      told.replaceChildren();
      readers.draw(status.readers);
      const now = JSON.stringify([rows, records]);
      if (now !== seen) {
        seen = now;
        keepingOpen(root, () => {
          bad.replaceChildren(...quarantine(context, rows));
          ran.replaceChildren(...runs(context, records.runs));
        });
      }
    } catch (problem) {
      if (!closed) told.replaceChildren(failure(words, problem));
    }
    if (!closed) timer = setTimeout(look, document.hidden ? 5 * EVERY_MS : EVERY_MS);
  }

  const off = stream.on("status", () => look());
  const stop = untilAnswered(
    () => api.get("/v1/caller"),
    (caller) => {
      if (!caller.lake) {
        told.replaceChildren(el("p.note", {}, words.t("ingest.no_lake")));
        return;
      }
      sees = caller.scopes.includes("explain");
      root.append(readers.element, ran, bad);
      look();
    },
    (problem) => told.replaceChildren(failure(words, problem)),
  );
  return () => {
    closed = true;
    stop();
    clearTimeout(timer);
    off();
  };
}
