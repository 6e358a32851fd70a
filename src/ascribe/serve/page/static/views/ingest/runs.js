// Runs of the pipeline: which stage each is in, how long the others took, and how it ended.
import { facts, reasons } from "../../blocks.js";
import { el, named } from "../../dom.js";

export function runs(context, all) {
  const { words } = context;
  const head = el("h2", {}, words.t("ingest.runs"));
  if (!all.length) return [head, el("p.quiet", {}, words.t("ingest.no_runs"))];
  return [head, ...all.map((run) => one(words, run))];
}

const KIND = { promoted: "good", refused: "bad", failed: "bad", stopped: "warn", running: "chosen" };

function one(words, run) {
  const done = run.stages.filter(({ state }) => state === "done" || state === "before").length;
  const label = words.t("ingest.progress", { done, count: run.stages.length });
  const parts = [
    ["ingest.started", words.when(run.started)], ["ingest.ended", run.ended ? words.when(run.ended) : ""], ["ingest.labelled", run.rows ? words.number(run.rows, 0) : ""],
    ["ingest.lake_version", run.lake_version === null ? "" : String(run.lake_version)], ["ingest.version", run.version], ["ingest.against", run.against],
    ["ingest.why", run.why.join("; ")],
  ];
  return el(
    "article.run", {},
    el("div.row", {}, el("h3", {}, named(run.model), " ", named(run.run)), el(`span.badge.${KIND[run.status] ?? "plain"}`, {}, words.t(`ingest.status_${run.status}`)),
      el("progress", { max: "1", value: String(run.progress), "aria-label": label }), el("span.quiet", {}, label)),
    el("ol.stages", {}, ...run.stages.map((stage) => el("li", { "data-state": stage.state }, el("span", {}, named(stage.name)), " ",
      el("span.quiet", {}, stage.seconds === null ? words.t(`ingest.stage_${stage.state}`) : `${words.t(`ingest.stage_${stage.state}`)}, ${words.number(stage.seconds, 1)} s`)))),
    run.error ? el("p.note.bad", {}, run.error) : null,
    facts(words, parts, 160),
    run.reasons.length ? el("details", { "data-key": `run ${run.run}` }, el("summary", {}, words.t("ingest.verdict")), reasons(run.reasons)) : null,
  );
}
