// Light, dark, or as the system says. Colours of charts are here, those of everything else in style.css.
import { createHeard } from "./heard.js";

const KEPT = "ascribe.theme";
const SYSTEM = matchMedia("(prefers-color-scheme: dark)");

export const THEMES = ["system", "light", "dark"];

// Each is at 3:1 or more against its ground, and 20 or more (CIE 1976) from every other one, also to eyes that lack one
// kind of cones (protanopia, deuteranopia, tritanopia as Machado, Oliveira and Fernandes 2009 simulate them).
const COLOURS = {
  light: {
    ground: "#ffffff", text: "#1a1d21", quiet: "#59626d", line: "#d5dae0", strong: "#1a1d21", base: "#8a939e",
    residual: "#f00075",
    groups: ["#2746c6", "#b68a00", "#007a67", "#af0097", "#d77351", "#0694f9", "#6c4c2e", "#566900"],
  },
  dark: {
    ground: "#15181c", text: "#e6e9ed", quiet: "#9aa4b0", line: "#363d46", strong: "#ffffff", base: "#77818d",
    residual: "#ff7099",
    groups: ["#397cfa", "#f8c531", "#08e0d2", "#a06fb0", "#73940f", "#c0baff", "#b37152", "#90d779"],
  },
};

/** theme.choice, theme.dark, theme.colours, theme.choose(word), theme.onChange(f) -> off. */
export function createTheme(storage = localStorage) {
  const heard = createHeard();
  let choice = storage.getItem(KEPT);
  if (!THEMES.includes(choice)) choice = "system";
  let system = SYSTEM.matches; // read nowhere else: Chromium tells nobody of a change that somebody has read already

  const theme = {
    get choice() {
      return choice;
    },
    get dark() {
      return choice === "dark" || (choice === "system" && system);
    },
    get colours() {
      return COLOURS[theme.dark ? "dark" : "light"];
    },
    choose(next) {
      choice = next;
      storage.setItem(KEPT, next);
      show();
    },
    onChange: heard.on,
  };

  function show() {
    document.documentElement.dataset.theme = theme.dark ? "dark" : "light";
    heard.tell();
  }
  SYSTEM.addEventListener("change", ({ matches }) => {
    system = matches;
    show();
  });
  show();
  return theme;
}
