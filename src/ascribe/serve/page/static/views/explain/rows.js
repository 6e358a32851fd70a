// Rows to be explained, from what people have: pasted JSON or CSV, or a file. Files are read by the service.
import { csv } from "../../csv.js";
import { valueText } from "./scale.js";

export const TYPES = { csv: "text/csv", parquet: "application/vnd.apache.parquet", json: "application/json" };
const PICTURES = /^image\/(png|jpeg|webp|bmp|gif)$/;

/** A file's bytes and kind -> {rows: [{id, values, measured_w}], left_out}. Throws what is wrong, in words. */
export async function readFile(api, words, file, limits) {
  if (file.size > limits.max_body_bytes)
    throw new Error(words.t("explain.file_large", { size: bytes(file.size), limit: bytes(limits.max_body_bytes) }));
  if (PICTURES.test(file.type)) return { rows: [{ id: file.name, image: await base64(file) }], left_out: [] };
  const kind = kindOf(file.name, await file.slice(0, 4).text());
  if (kind === "json") return readText(api, words, await file.text());
  return table(await api.post("/v1/rows", file, { "Content-Type": TYPES[kind] }));
}

/** The same of a pasted text: JSON if it begins like it, else CSV. */
export async function readText(api, words, text) {
  const start = text.trimStart();
  if (!start) throw new Error(words.t("explain.empty"));
  if (!/^[[{]/.test(start)) return table(await api.post("/v1/rows", text, { "Content-Type": TYPES.csv }));
  let held;
  try {
    held = JSON.parse(start);
  } catch (error) {
    throw new Error(words.t("explain.no_json", { why: error.message }));
  }
  return { rows: rowsOf(words, held), left_out: [] };
}

/** Whatever JSON people paste: a request, rows of a request, objects of numbers, lists of numbers, one or many. */
function rowsOf(words, held) {
  const inside = held?.feature_vector ?? held?.rows ?? held;
  const vector = Array.isArray(inside) && inside.length > 0 && inside.every((one) => typeof one === "number");
  const list = Array.isArray(inside) && !vector ? inside : [inside];
  if (!list.length) throw new Error(words.t("explain.empty"));
  return list.map((one) => {
    if (Array.isArray(one)) return { values: one };
    if (one === null || typeof one !== "object") throw new Error(words.t("explain.no_rows"));
    if ("values" in one || "image" in one || "text" in one) return one;
    const { id, measured_w, ...values } = one;
    return row(id, values, measured_w);
  });
}

function table({ columns, rows, left_out }) {
  const features = columns.filter((name) => name !== "id" && name !== "measured_w");
  return {
    rows: rows.map((one) => row(one.id, Object.fromEntries(features.map((name) => [name, one[name]])), one.measured_w)),
    left_out,
  };
}

function row(id, values, measured) {
  const made = { values };
  if (id !== undefined && id !== null && id !== "") made.id = String(id);
  if (typeof measured === "number") made.measured_w = measured;
  return made;
}

/** What the model does not take is left out, by name, a meter's watts too where it predicts none; what it lacks is named. */
export function fitted(rows, { features, unit }) {
  const wanted = new Set(features.map(({ name }) => name));
  const unknown = new Set();
  const missing = new Set();
  const metered = (one) => {
    if (unit === "W" || !("measured_w" in one)) return one;
    unknown.add("measured_w");
    const { measured_w, ...rest } = one;
    return rest;
  };
  const made = rows.map((one) => {
    if (!one.values || Array.isArray(one.values)) return metered(one);
    const kept = {};
    for (const [name, value] of Object.entries(one.values)) {
      if (wanted.has(name)) kept[name] = value;
      else unknown.add(name);
    }
    for (const name of wanted) if (!(name in kept)) missing.add(name);
    return metered({ ...one, values: kept });
  });
  return { rows: made, unknown: [...unknown], missing: [...missing] };
}

/** The middle of what training saw, for a first look. */
export function example(features) {
  const middle = ({ seen_low, seen_high, low }) =>
    typeof seen_low === "number" && typeof seen_high === "number" ? (seen_low + seen_high) / 2 : (low ?? 0);
  return Object.fromEntries(features.map((f) => [f.name, f.categories?.length ? f.categories[0] : middle(f)]));
}

/** As CSV, so that a command line can take what was pasted. */
export function csvOf(rows, features) {
  const names = features.map(({ name }) => name);
  const ids = rows.some((one) => one.id);
  const meter = rows.some((one) => typeof one.measured_w === "number");
  const head = [...(ids ? ["id"] : []), ...names, ...(meter ? ["measured_w"] : [])];
  const lines = rows.map((one) => [
    ...(ids ? [one.id] : []), ...names.map((name, at) => valueOf(one, name, at)), ...(meter ? [one.measured_w] : []),
  ]);
  return csv([head, ...lines]);
}

/** A row's value of a feature, however it was given. */
function valueOf(row, name, at) {
  const { values, names } = row;
  if (!Array.isArray(values)) return values?.[name];
  return values[names ? names.indexOf(name) : at];
}

/** What rows say of a model's features: {has(name), unit(name), value(row, name), text(row, name)}, "" of what is none. */
export function readings(words, card) {
  const found = new Map(card.features.map((feature, at) => [feature.name, { at, unit: feature.unit ?? "" }]));
  const read = {
    has: (name) => found.has(name),
    unit: (name) => found.get(name)?.unit ?? "",
    value: (row, name) => (read.has(name) ? valueOf(row, name, found.get(name).at) : undefined),
    text: (row, name) => valueText(words, read.value(row, name), read.unit(name)),
  };
  return read;
}

/** The media type of a file of rows, by its name. */
export const typeOf = (name) => (/\.parquet$/i.test(name) ? TYPES.parquet : TYPES.csv);

export function bytes(count) {
  return count < 1 << 20 ? `${Math.ceil(count / 1024)} KiB` : `${(count / (1 << 20)).toFixed(1)} MiB`;
}

function kindOf(name, start) {
  if (start === "PAR1" || /\.parquet$/i.test(name)) return "parquet";
  return /\.json$/i.test(name) || /^\s*[[{]/.test(start) ? "json" : "csv";
}

async function base64(file) {
  const raw = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < raw.length; at += 32768) text += String.fromCharCode(...raw.subarray(at, at + 32768));
  return btoa(text);
}
