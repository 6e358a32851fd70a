// Readers of the lake: rows so far, rows a second while this page looks, lag, and when they were last heard of.
import { panel } from "../../blocks.js";
import { el, named } from "../../dom.js";
import { scrolled, table } from "../../table.js";

const QUIET_S = 60;

export function createReaders(context) {
  const { words } = context;
  const place = el("div");
  const element = panel(words.t("ingest.readers"), place);
  const before = new Map(); // name -> {rows, at_us, rate}

  function rate(name, { rows, at_us }) {
    const held = before.get(name);
    const per = held && at_us > held.at_us ? ((rows - held.rows) * 1e6) / (at_us - held.at_us) : (held?.rate ?? null);
    if (!held || at_us > held.at_us) before.set(name, { rows, at_us, rate: rows < (held?.rows ?? 0) ? null : per });
    return before.get(name).rate;
  }

  function draw(readers) {
    const all = Object.entries(readers);
    if (!all.length) {
      place.replaceChildren(el("p.quiet", {}, words.t("ingest.no_readers")));
      return;
    }
    const number = (value) => words.number(value ?? 0, 0);
    const made = table(
      words.t("ingest.readers_caption"),
      [{ label: words.t("ingest.reader") }, { label: words.t("ingest.heard") }, ...["rows", "rate", "lag", "quarantined", "dead"].map((key) => ({ label: words.t(`ingest.${key}`), numeric: true }))],
      all.map(([name, held]) => {
        const age_s = Math.max(0, Date.now() / 1000 - held.at_us / 1e6);
        const per = rate(name, held);
        return [
          named(name), el("span", { class: age_s > QUIET_S ? "warn" : "" }, ago(words, age_s)), number(held.rows), per === null ? "–" : words.number(per, per < 10 ? 1 : 0),
          number(held.lag_records), number(held.quarantined), number(held.dead),
        ];
      }),
      "readers",
    );
    place.replaceChildren(scrolled(made, words.t("ingest.readers")));
  }

  return { element, draw };
}

function ago(words, age_s) {
  if (age_s < 90) return words.t("ingest.ago_s", { n: Math.round(age_s) });
  if (age_s < 5400) return words.t("ingest.ago_min", { n: Math.round(age_s / 60) });
  if (age_s < 129600) return words.t("ingest.ago_h", { n: Math.round(age_s / 3600) });
  return words.t("ingest.ago_d", { n: Math.round(age_s / 86400) });
}
