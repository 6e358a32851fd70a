// Federated: rows of this party in, one question to each host, and what each column and each host accounts for.
import { field, panel } from "../blocks.js";
import { el } from "../dom.js";
import { explain } from "./explain/answer.js";
import { createAsking, withCards } from "./explain/asking.js";
import { createSource } from "./explain/source.js";
import { createResult } from "./federated/result.js";

const POLICIES = ["", "fail", "bounds"];
const kept = { text: "", file: null, policy: "", last: null }; // outlives the view: another language, another tab and back

export function mount(root, context) {
  const { words } = context;
  const told = el("div");
  const work = el("div.explain");
  root.append(el("h1", {}, words.t("federated.title")), el("p.quiet", {}, words.t("federated.how_it_goes")), told, work);
  return withCards(context, told, () => true, "", ([card]) => begin(work, context, card));
}

function begin(root, context, card) {
  const { words, api } = context;
  const source = createSource(context, kept, () => ({ card }));
  const policy = el("select", { id: "policy", onchange: () => (kept.policy = policy.value) },
    POLICIES.map((name) => el("option", { value: name, selected: name === kept.policy }, words.t(`federated.policy_${name || "usual"}`))));
  const asking = createAsking(context, kept, {
    label: words.t("federated.start"), ask, draw: (last) => createResult(context, { ...last, source }),
  });
  const waits = card.rollout?.state === "failed" ? el("p.note.warn", {}, card.rollout.reason) : null;
  root.append(
    el("div.ask", {}, source.element,
      panel(
        words.t("federated.ask"),
        el("p", {}, words.t("federated.model", { model: card.name, version: card.version, unit: card.unit, output: card.output })), waits,
        field(words.t("federated.policy"), policy),
        el("p.quiet", {}, words.t("federated.policy_how")),
        ...asking.controls)),
    asking.place,
  );

  async function ask(signal) {
    const rows = await source.rows();
    if (rows.some((row) => !row.id)) throw new Error(words.t("federated.no_id"));
    const headers = kept.policy ? { "X-Host-Policy": kept.policy } : {};
    const answer = await explain(api, { model: card.name }, rows, () => {}, signal, headers);
    return { last: { answer, card, policy: kept.policy }, said: words.t("explain.answered", { count: rows.length }) };
  }

  if (kept.last) asking.show();
  return asking.close;
}
