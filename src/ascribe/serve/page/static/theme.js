// Light, dark, or as the system says. Colours of charts are here, those of everything else in style.css.
const KEPT = "ascribe.theme";
const SYSTEM = matchMedia("(prefers-color-scheme: dark)");

export const THEMES = ["system", "light", "dark"];

// Apart for the eyes of all three kinds of colour blindness, each at 3:1 or more against its ground.
const COLOURS = {
  light: {
    ground: "#ffffff", text: "#1a1d21", quiet: "#59626d", line: "#d5dae0", strong: "#1a1d21", base: "#8a939e",
    residual: "#c2185b",
    groups: ["#0b63b0", "#c05c00", "#00796b", "#8547b8", "#a8862a", "#3d8fb5", "#8c3b4a", "#5d7a1f"],
  },
  dark: {
    ground: "#15181c", text: "#e6e9ed", quiet: "#9aa4b0", line: "#363d46", strong: "#ffffff", base: "#77818d",
    residual: "#ff6f9f",
    groups: ["#4a97e0", "#ee9643", "#2db39f", "#b78ae6", "#d9bb5c", "#8fd0ec", "#dd8290", "#a8c763"],
  },
};

/** theme.choice, theme.dark, theme.colours, theme.choose(word), theme.onChange(f) -> off. */
export function createTheme(storage = localStorage) {
  const heard = new Set();
  let choice = storage.getItem(KEPT);
  if (!THEMES.includes(choice)) choice = "system";

  const theme = {
    get choice() {
      return choice;
    },
    get dark() {
      return choice === "dark" || (choice === "system" && SYSTEM.matches);
    },
    get colours() {
      return COLOURS[theme.dark ? "dark" : "light"];
    },
    choose(next) {
      choice = next;
      storage.setItem(KEPT, next);
      show();
    },
    onChange(tell) {
      heard.add(tell);
      return () => heard.delete(tell);
    },
  };

  function show() {
    document.documentElement.dataset.theme = theme.dark ? "dark" : "light";
    heard.forEach((tell) => tell());
  }
  SYSTEM.addEventListener("change", show);
  show();
  return theme;
}
