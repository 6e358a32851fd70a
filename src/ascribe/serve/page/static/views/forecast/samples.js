// Samples of series, from what people have: CSV with a time and a value in each row, or JSON.
const TIMES = ["time", "timestamp", "epoch_s", "date"];
const NAMES = ["series", "name"];

/** -> [{name, times or epoch_s, values, exogenous}], as POST /v1/forecasts takes them. Throws what is wrong, in words. */
export function readSamples(words, text, exogenous) {
  const start = text.trim();
  if (!start) throw new Error(words.t("forecast.empty"));
  if (!/^[[{]/.test(start)) return bySeries(words, records(words, start), exogenous);
  let held;
  try {
    held = JSON.parse(start);
  } catch (error) {
    throw new Error(words.t("explain.no_json", { why: error.message }));
  }
  const list = [held.series ?? held].flat();
  if (list.length && list.every((one) => Array.isArray(one?.values))) return list;
  const pairs = Array.isArray(held) && held.every((one) => Array.isArray(one) && one.length === 2);
  return bySeries(words, pairs ? held.map(([time, value]) => ({ time, value })) : list, exogenous);
}

/** What was measured, for the picture: times that nobody can read are left out, as the service says what is wrong. */
export function pastOf({ times = [], epoch_s = [], values }) {
  const t_s = times.length ? times.map((text) => Date.parse(text) / 1000) : epoch_s;
  const order = t_s.map((_, at) => at).filter((at) => Number.isFinite(t_s[at])).sort((a, b) => t_s[a] - t_s[b]);
  return { t_s: order.map((at) => t_s[at]), values: order.map((at) => values[at] ?? null) };
}

/** Records of one sample each, put together by their series. */
function bySeries(words, rows, exogenous) {
  const first = rows[0];
  if (!first || typeof first !== "object") throw new Error(words.t("forecast.no_samples"));
  const time = TIMES.find((name) => name in first);
  const series = NAMES.find((name) => name in first);
  const left = Object.keys(first).filter((name) => name !== time && name !== series && !exogenous.includes(name));
  const value = left.includes("value") ? "value" : left[0];
  if (!time || value === undefined) throw new Error(words.t("forecast.no_samples"));
  if (left.length > 1 && value !== "value") throw new Error(words.t("forecast.which", { names: left.join(", ") }));
  const found = new Map();
  rows.forEach((row, at) => {
    const name = series ? String(row[series] ?? "") : "";
    if (!found.has(name)) found.set(name, { name, at: [], values: [], exogenous: {} });
    const one = found.get(name);
    one.at.push(row[time]);
    one.values.push(number(words, row[value], at));
    for (const other of exogenous) if (other in row) (one.exogenous[other] ??= []).push(number(words, row[other], at));
  });
  return [...found.values()].map(({ at, ...one }) => {
    const seconds = at.every((cell) => cell !== "" && Number.isFinite(Number(cell)));
    return { ...one, ...(seconds ? { epoch_s: at.map(Number) } : { times: at.map(String) }) };
  });
}

function number(words, cell, at) {
  if (cell === null || cell === undefined || String(cell).trim() === "" || /^(nan|null|na)$/i.test(String(cell).trim())) return null;
  const value = Number(cell);
  if (!Number.isFinite(value)) throw new Error(words.t("forecast.no_number", { row: at + 1, text: String(cell).slice(0, 40) }));
  return value;
}

/** CSV (RFC 4180) with a line of names; without one the columns are time, value. */
function records(words, text) {
  const rows = cells(text).filter((row) => row.some((cell) => cell.trim() !== ""));
  const named = rows[0].some((cell) => TIMES.includes(cell.trim().toLowerCase()));
  if (!named && rows[0].length !== 2) throw new Error(words.t("forecast.no_samples"));
  const names = named ? rows[0].map((cell) => (TIMES.includes(cell.trim().toLowerCase()) ? cell.trim().toLowerCase() : cell.trim())) : ["time", "value"];
  return rows.slice(named ? 1 : 0).map((row) => Object.fromEntries(names.map((name, k) => [name, (row[k] ?? "").trim()])));
}

function cells(text) {
  const rows = [[""]];
  let inside = false;
  for (let k = 0; k < text.length; k++) {
    const c = text[k];
    const row = rows.at(-1);
    if (inside) {
      if (c !== '"') row[row.length - 1] += c;
      else if (text[k + 1] === '"') row[row.length - 1] += text[k++];
      else inside = false;
    } else if (c === '"') inside = true;
    else if (c === ",") row.push("");
    else if (c === "\n") rows.push([""]);
    else if (c !== "\r") row[row.length - 1] += c;
  }
  return rows;
}
