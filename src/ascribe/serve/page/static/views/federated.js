// Federated: rows of this party in, one question to each host, and what each column and each host accounts for.
import { el } from "../dom.js";
import { failure } from "../told.js";
import { explain } from "./explain/answer.js";
import { createSource } from "./explain/source.js";
import { createResult } from "./federated/result.js";

const POLICIES = ["", "fail", "bounds"];
const kept = { text: "", file: null, policy: "", last: null }; // outlives the view: another language, another tab and back

export const view = {
  id: "federated",
  here: ({ guest }) => guest,
  title: (words) => words.t("federated.title"),

  mount(root, context) {
    const { words, served } = context;
    const told = el("div");
    const work = el("div.explain");
    root.append(el("h1", {}, words.t("federated.title")), el("p.quiet", {}, words.t("federated.how_it_goes")), told, work);
    let close = null;

    function begun() {
      if (close || !served.loaded) return;
      told.replaceChildren(...(served.problem ? [failure(words, served.problem)] : []));
      if (served.cards.length) close = begin(work, context, served.cards[0]);
    }

    const off = served.onChange(begun);
    begun();
    return () => {
      off();
      close?.();
    };
  },
};

function begin(root, context, card) {
  const { words, api, announce } = context;
  const source = createSource(context, kept, () => ({ card }));
  const policy = el("select", { id: "policy", onchange: () => (kept.policy = policy.value) },
    POLICIES.map((name) => el("option", { value: name, selected: name === kept.policy }, words.t(`federated.policy_${name || "usual"}`))));
  const start = el("button.main", { type: "button", onclick: run }, words.t("federated.start"));
  const told = el("div");
  const place = el("div");
  let result = null;
  let stop = null;
  const waits = card.rollout?.state === "failed" ? el("p.note.warn", {}, card.rollout.reason) : null;
  root.append(
    el("div.ask", {}, source.element,
      el("section.panel", { "aria-label": words.t("federated.ask") }, el("h2", {}, words.t("federated.ask")),
        el("p", {}, words.t("federated.model", { model: card.name, version: card.version, unit: card.unit, output: card.output })), waits,
        el("div.field", {}, el("label", { for: "policy" }, words.t("federated.policy")), policy),
        el("p.quiet", {}, words.t("federated.policy_how")),
        el("div.row", {}, start), told)),
    place,
  );

  async function run() {
    stop?.abort();
    const own = (stop = new AbortController());
    told.replaceChildren(el("p.quiet", { role: "status" }, words.t("shell.loading")));
    start.disabled = true;
    try {
      const rows = await source.rows();
      if (rows.some((row) => !row.id)) throw new Error(words.t("federated.no_id"));
      const asked = { model: card.name };
      const headers = kept.policy ? { "X-Host-Policy": kept.policy } : {};
      const answer = await explain(api, asked, rows, () => {}, own.signal, headers);
      kept.last = { answer, card, source, policy: kept.policy };
      show();
      announce(words.t("explain.answered", { count: rows.length }));
      told.replaceChildren();
    } catch (problem) {
      if (problem.name !== "AbortError") told.replaceChildren(failure(words, problem));
    } finally {
      if (stop === own) start.disabled = false;
    }
  }

  function show() {
    result?.close();
    result = createResult(context, { ...kept.last, source });
    place.replaceChildren(result.element);
  }

  if (kept.last) show();
  return () => {
    stop?.abort();
    result?.close();
  };
}
