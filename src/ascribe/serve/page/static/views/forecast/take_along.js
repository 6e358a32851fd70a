// The curves and shares as files, and the command that asks for them again.
import { panel } from "../../blocks.js";
import { csv } from "../../csv.js";
import { el } from "../../dom.js";
import { curl, line, quoted } from "../explain/commands.js";
import { fileButton } from "../explain/downloads.js";
import { TYPES } from "../explain/rows.js";

const FILE = "forecast.json";

export function takeAlong(context, { asked, series, answer }) {
  const { words, api } = context;
  const request = { ...asked, series };
  const named = series.every((one) => !one.values); // then the request is short, and stands in the command
  const shares = answer.forecasts.some((one) => one.attribution);
  const sent = named ? `-d ${quoted(JSON.stringify(request))}` : `--data-binary @${FILE}`;
  return panel(
    words.t("explain.take"),
    el("div.row", {},
      fileButton(words.t("forecast.take_curves"), () => curvesCsv(answer), "forecast.csv", TYPES.csv),
      shares ? fileButton(words.t("forecast.take_shares"), () => sharesCsv(answer), "shares.csv", TYPES.csv) : null,
      fileButton(words.t("forecast.take_json"), () => JSON.stringify(answer), "answer.json", TYPES.json),
      named ? null : fileButton(words.t("forecast.take_request"), () => JSON.stringify(request), FILE, TYPES.json)),
    el("h3", {}, words.t("explain.again")),
    el("p.quiet", {}, words.t(named ? "forecast.again_named" : "forecast.again_file", { file: FILE, version: answer.version })),
    line(context, curl("/v1/forecasts", ["-H 'Content-Type: application/json'", sent], "answer.json", Boolean(api.token))),
  );
}

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
