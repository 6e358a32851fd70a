// The command lines that give the same answer again, for a shell of POSIX.

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

/** `types`: of the file and of the answer. `token`: whether the service wants one. */
export function curl(asked, file, types, token) {
  const query = new URLSearchParams(Object.entries(asked)).toString();
  return [
    `curl -s ${quoted(`${location.origin}/v1/attributions?${query}`)}`,
    ...(token ? [`-H "Authorization: Bearer $ASCRIBE_TOKEN"`] : []),
    `-H 'Content-Type: ${types.sent}' -H 'Accept: ${types.wanted}'`,
    `--data-binary ${quoted(`@${file}`)} -o answer.${types.ending}`,
  ].join(" \\\n  ");
}
