// Channels: where each points, how it came there, and the way back for those who may take it.
import { headed, panel, reasons } from "../../blocks.js";
import { el, named } from "../../dom.js";
import { scrolled, table } from "../../table.js";

export function channels(context, held, caller, moves) {
  const { words } = context;
  const element = panel(words.t("models.channels"), moves.told(held));
  if (!caller.admin) element.append(el("p.quiet", {}, words.t("models.no_admin", { name: caller.name })));
  for (const channel of held.channels) {
    element.append(
      headed(
        el("h3", {}, named(channel.name), " → ", named(channel.version)),
        caller.admin && channel.served && channel.back_to
          ? el("button", { type: "button", onclick: () => moves.rollback(held.model, channel, caller) }, words.t("models.rollback"))
          : null,
      ),
      el("p.quiet", {}, channel.served ? (channel.served === channel.version ? words.t("models.serves") : words.t("models.serves_other", { version: channel.served }))
        : words.t("models.serves_not")),
      el("details", { "data-key": `channel ${channel.name}` }, el("summary", {}, words.t("models.history", { count: channel.history.length })), scrolled(history(words, channel), words.t("models.history_of", { channel: channel.name }))),
    );
  }
  return element;
}

function history(words, channel) {
  return table(
    words.t("models.history_of", { channel: channel.name }),
    [{ label: words.t("models.when") }, { label: words.t("models.move") }, { label: words.t("models.version") }, { label: words.t("models.by") }, { label: words.t("models.why") }],
    channel.history.map((move) => [
      words.when(move.at), words.t(`models.move_${move.action}`), named(move.version), move.by ? named(move.by) : "–",
      reasons(move.reasons),
    ]),
    "history",
  );
}
