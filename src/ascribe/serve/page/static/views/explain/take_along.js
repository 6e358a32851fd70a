// The whole answer as a file of the service's own making, and the commands that give it again.
import { el } from "../../dom.js";
import { failure } from "../../told.js";
import { command, curl } from "./commands.js";
import { save } from "./downloads.js";
import { TYPES } from "./rows.js";

export function takeAlong(context, answer, source) {
  const { words, api } = context;
  const element = el("section.panel", { "aria-label": words.t("explain.take") }, el("h2", {}, words.t("explain.take")));
  if (answer.told.layout !== "table") {
    element.append(el("p.quiet", {}, words.t("explain.take_tables")), el("div.row", {}, jsonButton()));
    return element;
  }
  const said = el("span");
  const file = source.file(answer.sent);
  const sent = /\.parquet$/i.test(file.name) ? TYPES.parquet : TYPES.csv;
  element.append(
    el(
      "div.row", {},
      ...["csv", "parquet"].map((ending) => el("button", { type: "button", onclick: () => fetched(ending) }, words.t("explain.take_as", { kind: { csv: "CSV", parquet: "Parquet" }[ending] }))),
      jsonButton(),
      file.made === null ? null : el("button", { type: "button", onclick: () => save(new Blob([file.made], { type: TYPES.csv }), file.name) }, words.t("explain.take_rows")),
      said,
    ),
    el("h3", {}, words.t("explain.again")),
    el("p.quiet", {}, words.t(file.made === null ? "explain.again_own" : "explain.again_rows", { file: file.name })),
    lined(command(answer.asked, file.name)),
    lined(curl(answer.asked, file.name, { sent, wanted: TYPES.csv, ending: "csv" }, Boolean(api.token))),
    el("p.quiet", {}, words.t("explain.again_version", { version: answer.told.version })),
  );
  return element;

  function jsonButton() {
    const held = { ...answer.told, attributions: answer.rows };
    return el("button", { type: "button", onclick: () => save(new Blob([JSON.stringify(held)], { type: TYPES.json }), "answer.json") }, words.t("explain.take_as", { kind: "JSON" }));
  }

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

  function lined(text) {
    const copied = el("button", { type: "button", onclick: async () => {
      await navigator.clipboard?.writeText(text);
      context.announce(words.t("explain.copied"));
      copied.textContent = words.t("explain.copied");
    } }, words.t("explain.copy"));
    return el("div.command", {}, el("pre", { tabindex: "0" }, text), navigator.clipboard ? copied : null);
  }
}
