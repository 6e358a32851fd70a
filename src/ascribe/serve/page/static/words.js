// The language that the page speaks, and numbers and times written in it.
import { createHeard } from "./heard.js";
import en from "./words/en.js";
import zh from "./words/zh.js";

const TABLES = { en, zh };
const KEPT = "ascribe.language";

export const LANGUAGES = { en: "English", zh: "中文" };

/** words.t("now.title"), words.t("now.of", {n: 3}); words.onChange(f) -> off. A missing text is its own key. */
export function createWords(storage = localStorage) {
  const heard = createHeard();
  let language = storage.getItem(KEPT) ?? (navigator.language.startsWith("zh") ? "zh" : "en");
  if (!TABLES[language]) language = "en";

  function find(table, key) {
    return key.split(".").reduce((at, part) => (at && Object.hasOwn(at, part) ? at[part] : undefined), table);
  }

  const words = {
    get language() {
      return language;
    },
    has: (key) => typeof find(TABLES[language], key) === "string",
    t(key, values = {}) {
      const text = find(TABLES[language], key) ?? find(en, key) ?? key;
      return String(text).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
    },
    /** Decimals are those of the value, rounded once; minus is a true minus; no digits in front of what is not a number. */
    number(value, digits = 2) {
      if (value === null || value === undefined || !Number.isFinite(value)) return "–";
      const text = value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
      return (/^-0(\.0*)?$/.test(text) ? text.slice(1) : text).replace("-", "−");
    },
    /** About four digits, whatever the size: values of counters. */
    compact(value) {
      return Number(value.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 }).replace("-", "−");
    },
    signed(value, digits = 2) {
      const text = words.number(value, digits);
      return value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
    },
    /** Epoch microseconds -> local time of day. */
    time(us) {
      return new Date(us / 1000).toLocaleTimeString(language, { hour12: false });
    },
    moment(us) {
      return new Date(us / 1000).toLocaleString(language, { hour12: false, dateStyle: "medium", timeStyle: "medium" });
    },
    /** ISO 8601 -> local time; what is none stands as it is. */
    when(at) {
      const ms = Date.parse(at);
      return Number.isFinite(ms) ? words.moment(ms * 1000) : at;
    },
    choose(next) {
      if (!TABLES[next] || next === language) return;
      language = next;
      storage.setItem(KEPT, next);
      document.documentElement.lang = next;
      heard.tell();
    },
    onChange: heard.on,
  };
  document.documentElement.lang = language;
  return words;
}
