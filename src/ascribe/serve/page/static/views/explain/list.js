// The rows of an answer: each with its prediction, its status and, where it has one, the reason. One of them is looked at.
import { el, named } from "../../dom.js";
import { scrolled, table } from "../../table.js";
import { answered } from "./answer.js";
import { decimals } from "./scale.js";

const SHOWN = 200;

/** `pick(at)`: a row is chosen. -> {element, nameOf(at), turn(at, detail)} */
export function rowList(context, answer, pick) {
  const { words } = context;
  const nameOf = (at) => answer.rows[at].id || words.t("explain.row_number", { number: at });
  const unit = answer.told.unit;
  const digits = decimals(answer.rows.map(({ prediction }) => prediction ?? 0));
  const measured = answer.rows.some((row) => Number.isFinite(row.measured_w));
  const columns = [
    { label: words.t("explain.row") }, { label: unit ? words.t("explain.prediction_axis", { unit }) : words.t("explain.prediction"), numeric: true },
    ...(measured ? [{ label: words.t("explain.measured_w"), numeric: true }, { label: words.t("explain.unexplained_w"), numeric: true }] : []),
    { label: words.t("explain.status") }, { label: words.t("explain.reason") },
  ];
  const shown = answer.rows.slice(0, SHOWN);
  const made = table(
    words.t("explain.list_caption", counts(answer.rows)), columns,
    shown.map((row, at) => [
      el("button.link", { type: "button", onclick: () => pick(at) }, named(nameOf(at), 40)),
      words.number(row.prediction, digits),
      ...(measured ? [words.number(row.measured_w, digits), words.number(row.unexplained_w, digits)] : []),
      el("span", { class: row.status === "ok" ? "good" : answered(row) ? "warn" : "bad" }, statusText(words, row.status)),
      row.reason ?? "",
    ]),
    "answered",
  );
  const element = el(
    "div", {}, el("div.list-box", {}, scrolled(made, words.t("explain.list"))),
    answer.rows.length > SHOWN ? el("p.quiet", {}, words.t("explain.list_more", { shown: SHOWN, count: answer.rows.length })) : null,
  );
  return {
    element,
    nameOf,
    /** Marks a row and begins its detail with its name. -> {row, name} */
    turn(at, detail) {
      [...made.tBodies[0].rows].forEach((row, k) => (k === at ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current")));
      detail.replaceChildren(el("h2", {}, words.t("explain.one_row"), ": ", named(nameOf(at), 60)));
      return { row: answer.rows[at], name: nameOf(at) };
    },
  };
}

export const unanswered = (row) => el("p.note.bad", {}, row.reason || row.status);

export function statusText(words, status) {
  const key = `explain.status_${status}`;
  return words.has(key) ? words.t(key) : status;
}

function counts(rows) {
  const good = rows.filter((row) => row.status === "ok").length;
  const bad = rows.filter((row) => !answered(row)).length;
  return { count: rows.length, good, bad, doubtful: rows.length - good - bad };
}
