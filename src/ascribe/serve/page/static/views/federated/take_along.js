// The answer as files of the service's own making, and the command that asks the hosts again.
import { panel } from "../../blocks.js";
import { csv } from "../../csv.js";
import { el } from "../../dom.js";
import { curlRows, line } from "../explain/commands.js";
import { fileButton } from "../explain/downloads.js";
import { TYPES, typeOf } from "../explain/rows.js";
import { jsonButton, rowsButton } from "../explain/take_along.js";

export function takeAlong(context, answer, source, policy) {
  const { words, api } = context;
  const { name, made } = source.file(answer.sent);
  const headers = policy ? [`-H 'X-Host-Policy: ${policy}'`] : [];
  return panel(
    words.t("explain.take"),
    el("div.row", {},
      fileButton(words.t("federated.take_shares"), () => sharesCsv(answer), "shares.csv", TYPES.csv),
      jsonButton(words, answer), rowsButton(words, name, made)),
    el("h3", {}, words.t("explain.again")),
    el("p.quiet", {}, words.t(made === null ? "federated.again_own" : "federated.again_rows", { file: name }), " ", words.t("federated.again_asks")),
    line(context, curlRows(answer.asked, name, typeOf(name), Boolean(api.token), headers)),
  );
}

function sharesCsv({ told, rows }) {
  return csv([
    ["id", "prediction", "base_value", ...told.features, "status", "reason"],
    ...rows.map((row, at) => [
      row.id || at, row.prediction, row.base_value, ...told.features.map((name) => row.attribution_shares?.[name]), row.status, row.reason,
    ]),
  ]);
}
