// Asks for attributions in parts, so that a long file shows how far it is and can be stopped.
import { el } from "../../dom.js";
import { failure } from "../../told.js";

const FIRST = 8; // rows of the first part
const MOST = 512;
const WISHED_MS = 1500; // of a part: progress is seen, and nothing is asked too often

/**
 * -> {told, rows: attributions in order, asked: the body, sent: the rows}. `tell(done, all)`; `headers`: more of a request. What goes wrong is thrown;
 * a part all of whose rows are bad is told row by row, where others are good. Where a time was asked for, the tier that keeps
 * it is that of the first part: the same for all of them, and for what is asked of these rows later.
 */
export async function explain(api, asked, rows, tell, signal, headers = {}) {
  const found = [];
  let told = null;
  let bad = null;
  let size = FIRST;
  while (found.length < rows.length) {
    tell(found.length, rows.length);
    const part = rows.slice(found.length, found.length + size);
    const begin = performance.now();
    try {
      const answer = await api.post("/v1/attributions", { ...asked, feature_vector: part }, headers, { signal });
      told ??= answer;
      asked = pinned(asked, told);
      found.push(...answer.attributions);
    } catch (problem) {
      if (problem.code !== "invalid_input" || part.length === rows.length) throw problem;
      bad = problem;
      const reasons = new Map(problem.errors.map(({ field, reason }) => [field, reason])); // by the place in this part
      found.push(...part.map((row, k) => ({ id: row.id ?? "", status: "invalid", reason: reasons.get(`feature_vector[${k}]`) ?? problem.detail })));
    }
    const took = Math.max(20, performance.now() - begin);
    size = Math.round(Math.min(MOST, Math.max(1, size * Math.min(4, Math.max(0.25, WISHED_MS / took)))));
  }
  tell(rows.length, rows.length);
  if (!told) throw bad;
  return { told, rows: found, asked, sent: rows };
}

/** The request, which names the tier that was found where it named a time: with another number of rows it would be another. */
function pinned({ max_latency_ms, ...asked }, { tier }) {
  return max_latency_ms === undefined ? asked : { ...asked, tier };
}

/** The service's own sentence about a row, asked for again; filled in once it has come. */
export function spoken({ words, api }, answer, at, headers = {}) {
  const said = el("p.sentence");
  const all = { Accept: "text/plain", "Content-Type": "application/json", ...headers };
  const body = JSON.stringify({ ...answer.asked, feature_vector: [answer.sent[at]] });
  api.ask("/v1/attributions", { method: "POST", body, headers: all, query: { language: words.language } })
    .then((got) => got.text())
    .then((text) => (said.textContent = text.trim()), (problem) => said.replaceChildren(failure(words, problem)));
  return said;
}

/** Whether a row holds numbers. */
export const answered = (row) => row.status !== "invalid" && row.status !== "not_finite" && Number.isFinite(row.prediction);

/** The base of a row: its own where it has one. */
export const baseOf = (answer, row) => row.base_value ?? answer.told.base_value ?? 0;

/** [{name, value, error}] of a row, the largest first. */
export function sharesOf(answer, row) {
  return answer.told.features
    .map((name) => ({ name, value: row.attribution_shares[name] ?? 0, error: row.stderr?.[name] ?? 0 }))
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
}

/** Players by their mean size over all answered rows, the largest first: [{name, size}]. */
export function ranked(answer) {
  const rows = answer.rows.filter(answered);
  return answer.told.features
    .map((name) => ({
      name,
      size: rows.reduce((sum, row) => sum + Math.abs(row.attribution_shares[name] ?? 0), 0) / Math.max(1, rows.length),
    }))
    .sort((a, b) => b.size - a.size);
}
