// The whole answer as a file of the service's own making, and the commands that give it again.
import { panel } from "../../blocks.js";
import { el } from "../../dom.js";
import { failure } from "../../told.js";
import { command, curlRows, line } from "./commands.js";
import { fileButton, save } from "./downloads.js";
import { TYPES, typeOf } from "./rows.js";

export function takeAlong(context, answer, source) {
  const { words, api } = context;
  if (answer.told.layout !== "table")
    return panel(words.t("explain.take"), el("p.quiet", {}, words.t("explain.take_tables")), el("div.row", {}, jsonButton(words, answer)));
  const said = el("span");
  const { name, made } = source.file(answer.sent);
  return panel(
    words.t("explain.take"),
    el(
      "div.row", {},
      ...[["csv", "CSV"], ["parquet", "Parquet"]].map(([ending, kind]) =>
        el("button", { type: "button", onclick: () => fetched(ending) }, words.t("explain.take_as", { kind }))),
      jsonButton(words, answer), rowsButton(words, name, made), said,
    ),
    el("h3", {}, words.t("explain.again")),
    el("p.quiet", {}, words.t(made === null ? "explain.again_own" : "explain.again_rows", { file: name })),
    line(context, command(answer.asked, name)),
    line(context, curlRows(answer.asked, name, typeOf(name), Boolean(api.token))),
    el("p.quiet", {}, words.t("explain.again_version", { version: answer.told.version })),
  );

  async function fetched(ending) {
    said.replaceChildren(words.t("shell.loading"));
    try {
      const body = JSON.stringify({ ...answer.asked, feature_vector: answer.sent });
      const headers = { "Content-Type": TYPES.json, Accept: TYPES[ending] };
      const got = await api.ask("/v1/attributions", { method: "POST", body, headers });
      save(await got.blob(), `answer.${ending}`);
      said.replaceChildren();
    } catch (problem) {
      said.replaceChildren(failure(words, problem));
    }
  }
}

export const jsonButton = (words, { told, rows }) =>
  fileButton(words.t("explain.take_as", { kind: "JSON" }), () => JSON.stringify({ ...told, attributions: rows }), "answer.json", TYPES.json);

/** The rows that were sent, where they are no file of the user's own. */
export const rowsButton = (words, name, made) => (made === null ? null : fileButton(words.t("explain.take_rows"), () => made, name, TYPES.csv));
