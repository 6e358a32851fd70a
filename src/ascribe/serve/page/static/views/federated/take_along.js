// The answer as files of the service's own making, and the command that asks the hosts again.
import { el } from "../../dom.js";
import { quoted } from "../explain/commands.js";
import { save } from "../explain/downloads.js";
import { TYPES, csvOf } from "../explain/rows.js";

export function takeAlong(context, answer, source, policy) {
  const { words, api, announce } = context;
  const { name, made } = source.file(answer.sent);
  const type = /\.parquet$/i.test(name) ? TYPES.parquet : TYPES.csv;
  const line = curl(answer, name, type, policy, Boolean(api.token));
  const copied = el("button", { type: "button", onclick: async () => {
    await navigator.clipboard?.writeText(line);
    announce(words.t("explain.copied"));
    copied.textContent = words.t("explain.copied");
  } }, words.t("explain.copy"));
  const file = (label, blob, called) => el("button", { type: "button", onclick: () => save(blob(), called) }, label);
  return el(
    "section.panel", { "aria-label": words.t("explain.take") }, el("h2", {}, words.t("explain.take")),
    el("div.row", {},
      file(words.t("federated.take_shares"), () => new Blob([sharesCsv(answer)], { type: TYPES.csv }), "shares.csv"),
      file(words.t("explain.take_as", { kind: "JSON" }), () => new Blob([JSON.stringify({ ...answer.told, attributions: answer.rows })], { type: TYPES.json }), "answer.json"),
      made === null ? null : file(words.t("explain.take_rows"), () => new Blob([made], { type: TYPES.csv }), name)),
    el("h3", {}, words.t("explain.again")),
    el("p.quiet", {}, words.t(made === null ? "federated.again_own" : "federated.again_rows", { file: name }), " ", words.t("federated.again_asks")),
    el("div.command", {}, el("pre", { tabindex: "0" }, line), navigator.clipboard ? copied : null),
  );
}

function sharesCsv({ told, rows }) {
  const kinds = ["prediction", "base_value", ...told.features, "status", "reason"].map((name) => ({ name }));
  return csvOf(rows.map((row, at) => ({
    id: row.id || String(at), values: { prediction: row.prediction, base_value: row.base_value, status: row.status, reason: row.reason, ...row.attribution_shares },
  })), kinds);
}

function curl({ asked }, file, type, policy, token) {
  return [
    `curl -s ${quoted(`${location.origin}/v1/attributions?${new URLSearchParams(asked)}`)}`,
    ...(token ? [`-H "Authorization: Bearer $ASCRIBE_TOKEN"`] : []),
    ...(policy ? [`-H 'X-Host-Policy: ${policy}'`] : []),
    `-H 'Content-Type: ${type}' -H 'Accept: text/csv'`,
    `--data-binary ${quoted(`@${file}`)} -o answer.csv`,
  ].join(" \\\n  ");
}
