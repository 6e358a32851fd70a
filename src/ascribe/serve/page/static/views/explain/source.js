// Where the rows come from: a text that is pasted, or a file that is chosen or dropped.
import { el, named } from "../../dom.js";
import { failure } from "../../told.js";
import { bytes, csvOf, example, fitted, readFile, readText } from "./rows.js";

/** `kept`: what outlives the view ({text, file}); `asked`: the first side, whose model says what a row is. */
export function createSource(context, kept, asked) {
  const { api, words, announce, offers } = context;
  let limits = { max_rows: 4096, max_body_bytes: 16 << 20 };
  const told = el("div.notes", { role: "status" });
  const text = el("textarea", {
    id: "rows-text", rows: "7", spellcheck: "false", value: kept.text ?? "", placeholder: words.t("explain.paste_hint"),
    oninput: () => {
      kept.text = text.value;
      forget();
    },
  });
  const chooser = el("input", {
    type: "file", id: "rows-file", accept: ".csv,.json,.parquet,.txt,image/png,image/jpeg,image/webp", onchange: () => chooser.files[0] && choose(chooser.files[0]),
  });
  const limit = el("p.quiet");
  const element = el(
    "section.panel.source", { "aria-label": words.t("explain.rows_title") },
    el("h2", {}, words.t("explain.rows_title")),
    el("label", { for: "rows-text" }, words.t("explain.paste")),
    text,
    el(
      "div.row", {},
      el("label.choose", { for: "rows-file" }, words.t("explain.choose")), chooser,
      el("button", { type: "button", onclick: first }, words.t("explain.example")),
    ),
    limit, told,
  );

  for (const name of ["dragenter", "dragover"])
    element.addEventListener(name, (event) => {
      event.preventDefault();
      element.classList.add("dropping");
    });
  for (const name of ["dragleave", "drop"]) element.addEventListener(name, () => element.classList.remove("dropping"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) choose(event.dataTransfer.files[0]);
  });

  if (!offers.guest) api.get("/v1/caller").then((got) => {
    limits = got;
    limit.textContent = words.t("explain.limits", { rows: got.max_rows, size: bytes(got.max_body_bytes) });
  }, () => {}); // what is wrong is said when rows are sent

  function forget() {
    kept.file = null;
    chooser.value = "";
    told.replaceChildren();
  }

  function first() {
    const { card } = asked();
    if (!card) return;
    text.value = kept.text = card.layout === "text" ? words.t("explain.example_text") : `${JSON.stringify(example(card.features), null, 1)}\n`;
    forget();
  }

  async function choose(file) {
    told.replaceChildren(el("p.quiet", {}, words.t("shell.loading")));
    try {
      const got = asked().card?.layout === "text" ? { rows: lines(await file.text()), left_out: [] } : await readFile(api, words, file, limits);
      kept.file = { name: file.name, ...got };
      text.value = kept.text = "";
      said(read(kept.file), []);
    } catch (problem) {
      forget();
      told.replaceChildren(failure(words, problem));
    }
  }

  const read = ({ name, rows }) => words.t(rows.length === 1 ? "explain.file_row" : "explain.file_rows", { name, count: rows.length });

  function said(line, notes) {
    announce(line);
    told.replaceChildren(el("p", {}, line), ...notes.map(([key, list]) => el("p.note.warn", {}, words.t(key), " ", ...list.slice(0, 12).flatMap((name) => [named(name, 40), " "]))));
  }

  if (kept.file) said(read(kept.file), []);

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
      said(
        words.t(rows.length === 1 ? "explain.taken_one" : "explain.taken", { count: rows.length }),
        [["explain.unknown", [...got.left_out, ...unknown]], ["explain.missing", missing]].filter(([, list]) => list.length),
      );
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
