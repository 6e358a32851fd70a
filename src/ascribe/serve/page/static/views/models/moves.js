// Promotion and rollback: asked for in a dialog that says what happens, and told until it has happened.
import { reasons } from "../../blocks.js";
import { el, named } from "../../dom.js";
import { told } from "../../told.js";

/** `changed()` is called once something has moved. */
export function createMoves(context, changed) {
  const { words, api, announce } = context;
  let last = null; // {bad, text, reasons}
  let dialog = null;

  function promote(model, channel, version, caller) {
    const values = { model, channel: channel.name, version: version.version, current: channel.version, name: caller.name };
    confirm(words.t("models.promote_title"), [words.t("models.promote_what", values), words.t("models.promote_then", values)], words.t("models.promote"), async () => {
      const card = await api.post(`/v1/admin/models/${encodeURIComponent(`${model}@${channel.name}`)}/promote`, { version: version.version });
      say(card);
    });
  }

  function rollback(model, channel, caller) {
    const values = { model, channel: channel.name, version: channel.back_to, current: channel.version, name: caller.name };
    confirm(words.t("models.rollback_title"), [words.t("models.rollback_what", values), words.t("models.rollback_then", values)], words.t("models.rollback"), async () => {
      const answer = await api.post(`/v1/admin/models/${encodeURIComponent(`${model}@${channel.name}`)}/rollback`, {});
      last = { bad: false, text: words.t("models.rolled_back", { channel: answer.channel, version: answer.version }), reasons: [] };
    });
  }

  function say(card) {
    const bad = card.state === "refused" || card.state === "failed";
    last = { bad, text: words.t(`models.state_${card.state}`, card), reasons: card.reasons, of: card };
  }

  function confirm(title, texts, verb, act) {
    const problem = el("p.bad", { role: "alert" });
    const doing = el("button.main", { type: "submit" }, verb);
    const form = el(
      "form", { method: "dialog" }, el("h2", {}, title), ...texts.map((text) => el("p", {}, text)), problem,
      el("div.row", {}, doing, el("button", { type: "button", onclick: () => dialog.close() }, words.t("shell.cancel"))),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      doing.disabled = true;
      problem.textContent = words.t("models.working");
      try {
        await act();
        announce(last.text);
        dialog?.close();
        changed();
      } catch (error) {
        problem.textContent = told(words, error);
        doing.disabled = false;
      }
    });
    dialog = el("dialog", { "aria-label": title }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      dialog = null;
    });
    document.body.append(dialog);
    dialog.showModal();
  }

  return {
    promote,
    rollback,
    /** What came of the last move, and of promotions that this server still judges. */
    told(held) {
      const mine = last?.of && held.promotions.find((one) => one.at === last.of.at && one.version === last.of.version);
      if (mine) say(mine);
      const others = held.promotions.filter((one) => one.state === "judging" && one !== mine);
      return el(
        "div.notes", { role: "status" },
        last ? el(last.bad ? "div.note.bad" : "div.note", {}, el("p", {}, last.text), last.reasons.length ? reasons(last.reasons) : null) : null,
        ...others.map((one) => el("p.note", {}, words.t("models.state_judging", one), " ", named(one.by))),
      );
    },
    close: () => dialog?.close(),
  };
}
