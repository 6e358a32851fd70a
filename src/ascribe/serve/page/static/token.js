// The dialog that asks for a token. The token stays in this tab (sessionStorage) and goes to this service alone.
import { el } from "./dom.js";

/** -> a promise of the token, "" to forget it, or null where the user gives none. */
export function askToken(words, wrong) {
  const input = el("input", { type: "password", autocomplete: "off", id: "token-text", name: "token", required: true });
  const form = el(
    "form", { method: "dialog" },
    el("h2", {}, words.t("shell.token_title")),
    wrong ? el("p.bad", { role: "alert" }, words.t("shell.token_wrong")) : null,
    el("p.quiet", {}, words.t("shell.token_why")),
    el("label", { for: "token-text" }, words.t("shell.token")),
    input,
    el(
      "div.row", {},
      el("button.main", { type: "submit", value: "use" }, words.t("shell.token_use")),
      el("button", { type: "button", onclick: () => close("forget") }, words.t("shell.token_forget")),
      el("button", { type: "button", onclick: () => close("") }, words.t("shell.cancel")),
    ),
  );
  const dialog = el("dialog", { "aria-label": words.t("shell.token_title") }, form);
  const close = (word) => dialog.close(word);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      done({ use: input.value.trim(), forget: "" }[dialog.returnValue] ?? null);
    });
  });
}
