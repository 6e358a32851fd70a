// The command lines that give the same answer again, for a shell of POSIX.
import { el } from "../../dom.js";

export const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${String(text).replaceAll("'", `'\\''`)}'`);

const FLAGS = {
  output: "--target", space: "--space", method: "--method", tier: "--tier", max_latency_ms: "--max-latency-ms",
  target_stderr: "--target-stderr",
};

/** `file`: the rows' file; REGISTRY stands for the place that this service was started with, which it does not tell. */
export function command(asked, file) {
  const how = Object.entries(FLAGS).filter(([name]) => name in asked).map(([name, flag]) => `${flag} ${quoted(asked[name])}`);
  return ["ascribe explain", `"$REGISTRY"${quoted(`#${asked.model}`)}`, quoted(file), ...how, "-o answer.parquet"].join(" ");
}

/** `path`: asked, with its query; `more`: headers and what is sent; `out`: the file of the answer; `token`: whether one is wanted. */
export function curl(path, more, out, token) {
  return [
    `curl -s ${quoted(`${location.origin}${path}`)}`,
    ...(token ? [`-H "Authorization: Bearer $ASCRIBE_TOKEN"`] : []),
    ...more.slice(0, -1),
    `${more.at(-1)} -o ${out}`,
  ].join(" \\\n  ");
}

/** The call that sends a file of rows and wants CSV. */
export const curlRows = (asked, file, type, token, headers = []) =>
  curl(`/v1/attributions?${new URLSearchParams(asked)}`, [
    ...headers, `-H 'Content-Type: ${type}' -H 'Accept: text/csv'`, `--data-binary ${quoted(`@${file}`)}`,
  ], "answer.csv", token);

/** A command line with a button that copies it. */
export function line({ words, announce }, text) {
  const copied = el("button", { type: "button", onclick: async () => {
    await navigator.clipboard?.writeText(text);
    announce(words.t("explain.copied"));
    copied.textContent = words.t("explain.copied");
  } }, words.t("explain.copy"));
  return el("div.command", {}, el("pre", { tabindex: "0" }, text), navigator.clipboard ? copied : null);
}
