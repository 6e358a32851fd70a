// The curves and shares as files, and the command that asks for them again.
import { el } from "../../dom.js";
import { quoted } from "../explain/commands.js";
import { save } from "../explain/downloads.js";

const FILE = "forecast.json";

export function takeAlong({ words, api, announce }, { asked, series, answer }) {
  const request = { ...asked, series };
  const named = series.every((one) => !one.values); // then the request is short, and stands in the command
  const shares = answer.forecasts.some((one) => one.attribution);
  const line = curl(request, named, Boolean(api.token));
  const copied = el("button", { type: "button", onclick: async () => {
    await navigator.clipboard?.writeText(line);
    announce(words.t("explain.copied"));
    copied.textContent = words.t("explain.copied");
  } }, words.t("explain.copy"));
  const file = (label, text, name, type) => el("button", { type: "button", onclick: () => save(new Blob([text()], { type }), name) }, label);
  return el(
    "section.panel", { "aria-label": words.t("explain.take") }, el("h2", {}, words.t("explain.take")),
    el("div.row", {},
      file(words.t("forecast.take_curves"), () => curvesCsv(answer), "forecast.csv", "text/csv"),
      shares ? file(words.t("forecast.take_shares"), () => sharesCsv(answer), "shares.csv", "text/csv") : null,
      file(words.t("forecast.take_json"), () => JSON.stringify(answer), "answer.json", "application/json"),
      named ? null : file(words.t("forecast.take_request"), () => JSON.stringify(request), FILE, "application/json")),
    el("h3", {}, words.t("explain.again")),
    el("p.quiet", {}, words.t(named ? "forecast.again_named" : "forecast.again_file", { file: FILE, version: answer.version })),
    el("div.command", {}, el("pre", { tabindex: "0" }, line), navigator.clipboard ? copied : null),
  );
}

function curl(request, whole, token) {
  return [
    `curl -s ${quoted(`${location.origin}/v1/forecasts`)}`,
    ...(token ? [`-H "Authorization: Bearer $ASCRIBE_TOKEN"`] : []),
    "-H 'Content-Type: application/json'",
    whole ? `-d ${quoted(JSON.stringify(request))}` : `--data-binary @${FILE}`,
    "-o answer.json",
  ].join(" \\\n  ");
}

/** RFC 4180. */
const csv = (rows) => rows.map((row) => row.map((cell) => {
  const text = cell === null || cell === undefined ? "" : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}).join(",")).join("\r\n") + "\r\n";

function curvesCsv({ forecasts }) {
  return csv([
    ["series", "time", "epoch_s", "forecast", "lower", "upper"],
    ...forecasts.flatMap((one) => one.forecast.map((y, k) => [one.name, one.times[k], one.epoch_s[k], y, one.lower[k], one.upper[k]])),
  ]);
}

function sharesCsv({ forecasts }) {
  return csv([
    ["series", "output", "unit", "player", "share", "stderr"],
    ...forecasts.flatMap(({ name, attribution: a }) => Object.entries(a?.shares ?? {}).map(([player, share]) => [name, a.output, a.unit, player, share, a.stderr[player]])),
  ]);
}
