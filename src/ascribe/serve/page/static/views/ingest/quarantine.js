// Rows that were turned away: how many for which reason, and the newest of them as they came.
import { el, named } from "../../dom.js";
import { scrolled, table } from "../../table.js";

/** `held`: an answer of /v1/quarantine; null for a caller who may not see what came in. */
export function quarantine(context, held) {
  const { words } = context;
  const head = el("h2", {}, words.t("ingest.quarantine"));
  if (!held) return [head, el("p.note", {}, words.t("ingest.no_explain"))];
  const { rows, counts } = held;
  const all = Object.entries(counts).flatMap(([reader, reasons]) => Object.entries(reasons).map(([reason, count]) => ({ reader, reason, count })));
  if (!rows.length && !all.length) return [head, el("p.quiet", {}, words.t("ingest.none_bad"))];
  const whole = Math.max(all.reduce((sum, { count }) => sum + count, 0), 1);
  const reasons = table(
    words.t("ingest.reasons_caption"), [{ label: words.t("ingest.reason") }, { label: words.t("ingest.reader") }, { label: words.t("ingest.count"), numeric: true }, { label: words.t("ingest.part") }],
    all.sort((a, b) => b.count - a.count).map(({ reader, reason, count }) => [reason, named(reader), words.number(count, 0), el("meter", { min: "0", max: String(whole), value: String(count), "aria-label": `${count}` })]),
    "reasons-table",
  );
  const newest = table(
    words.t("ingest.newest_caption", { count: rows.length }),
    [{ label: words.t("ingest.reason") }, { label: words.t("ingest.node") }, { label: words.t("ingest.measured_at") }, { label: words.t("ingest.turned") }, { label: words.t("ingest.place") }, { label: words.t("ingest.as_it_came") }],
    rows.map((row, at) => [
      row.reason, row.node ? named(row.node, 40) : "–", moment(words, row.timestamp_us), moment(words, row.at_us),
      el("span", {}, named(row.stream, 40), row.position === null ? "" : ` ${row.position}`),
      el("details", { "data-key": `bad ${row.reader} ${row.stream} ${row.position} ${at}` }, el("summary", {}, words.t(row.kind === "message" ? "ingest.message" : "ingest.row")), el("pre", { tabindex: "0" }, pretty(row.payload), row.cut ? "…" : "")),
    ]),
    "bad-rows",
  );
  return [head, ...(all.length ? [scrolled(reasons, words.t("ingest.reasons_caption"))] : []), ...(rows.length ? [scrolled(newest, words.t("ingest.newest"))] : [])];
}

function moment(words, us) {
  const date = new Date(us / 1000);
  return us === null || Number.isNaN(date.getTime()) ? "–" : words.moment(us);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 1);
  } catch {
    return text;
  }
}
