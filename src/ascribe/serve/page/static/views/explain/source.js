// Where the rows come from: a text, a file, or an example.
import { panel } from "../../blocks.js";
import { el, named } from "../../dom.js";
import { createPaste } from "./paste.js";
import { bytes, csvOf, example, fitted, readFile, readText } from "./rows.js";

/** `kept`: what outlives the view ({text, file}); `asked`: the first side, whose model says what a row is once it is `ready`. */
export function createSource(context, kept, asked) {
  const { api, words, offers } = context;
  let limits = { max_rows: 4096, max_body_bytes: 16 << 20 };
  const { text, chooser, told, say, forget, takeDrops } = createPaste(context, kept, {
    id: "rows", hint: words.t("explain.paste_hint"), accept: ".csv,.json,.parquet,.txt,image/png,image/jpeg,image/webp", choose,
  });
  const limit = el("p.quiet");
  const element = panel(
    words.t("explain.rows_title"),
    el("label", { for: text.id }, words.t("explain.paste")),
    text,
    el(
      "div.row", {},
      el("label.choose", { for: chooser.id }, words.t("explain.choose")), chooser,
      el("button", { type: "button", onclick: first }, words.t("explain.example")),
    ),
    limit, told,
  );
  element.classList.add("source");
  takeDrops(element);

  if (!offers.guest) api.get("/v1/caller").then((got) => {
    limits = got;
    limit.textContent = words.t("explain.limits", { rows: got.max_rows, size: bytes(got.max_body_bytes) });
  }, () => {}); // what is wrong is said when rows are sent

  async function first() {
    const card = await known();
    if (!card) return;
    text.value = kept.text = card.layout === "text" ? words.t("explain.example_text") : `${JSON.stringify(example(card.features), null, 1)}\n`;
    forget();
  }

  /** The card of the model that was chosen last; what is wrong with it is said beside the choice. */
  async function known() {
    await asked().ready?.catch(() => {});
    return asked().card;
  }

  async function choose(file) {
    const card = await known();
    const got = card?.layout === "text" ? { rows: lines(await file.text()), left_out: [] } : await readFile(api, words, file, limits);
    return () => read((kept.file = { name: file.name, ...got }));
  }

  const read = ({ name, rows }) => words.t(rows.length === 1 ? "explain.file_row" : "explain.file_rows", { name, count: rows.length });

  const note = (key, list) => el("p.note.warn", {}, words.t(key), " ", ...list.slice(0, 12).flatMap((name) => [named(name, 40), " "]));

  if (kept.file) say(read(kept.file));

  return {
    element,
    /** -> rows as the model takes them. Throws what is wrong. */
    async rows() {
      const { card } = asked();
      const got = kept.file ?? (card.layout === "text" ? { rows: lines(text.value), left_out: [] } : await readText(api, words, text.value));
      if (!got.rows.length) throw new Error(words.t("explain.empty"));
      if (got.rows.length > limits.max_rows) throw new Error(words.t("explain.too_many", { count: got.rows.length, limit: limits.max_rows }));
      if (card.layout !== "table") return got.rows;
      const { rows, unknown, missing } = fitted(got.rows, card);
      const odd = [["explain.unknown", [...got.left_out, ...unknown]], ["explain.missing", missing]].filter(([, list]) => list.length);
      say(words.t(rows.length === 1 ? "explain.taken_one" : "explain.taken", { count: rows.length }), ...odd.map(([key, list]) => note(key, list)));
      return rows;
    },
    /** The file that command lines read, and its bytes where it is not the user's own. */
    file(rows) {
      if (kept.file && /\.(csv|parquet)$/i.test(kept.file.name)) return { name: kept.file.name, made: null };
      return { name: "rows.csv", made: csvOf(rows, asked().card.features) };
    },
  };
}

const lines = (text) => text.split(/\r?\n/).map((line) => line.trim()).filter(Boolean).map((line) => ({ text: line }));
