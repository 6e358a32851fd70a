// What went wrong, in words: the service's own where there are any.
import { el } from "./dom.js";

export function told(words, problem) {
  if (problem.status === 0) return words.t("shell.unreachable");
  if (problem.status) return words.t("shell.failed", { status: problem.status, text: problem.detail || problem.title });
  return String(problem.message ?? problem);
}

export function failure(words, problem) {
  return el("p.bad", { role: "alert" }, told(words, problem));
}
