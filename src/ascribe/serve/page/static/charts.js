// ECharts behind one function. Everything is SVG; tooltips are drawn too, since the policy allows no inline styles.
import { el } from "./dom.js";

const loading = import("./vendor/echarts.esm.min.mjs");
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei", sans-serif';

/**
 * chart(context, {label, height, build, onPick}) -> {element, update(), dispose()}
 *
 * `build(colours, width)` -> an option of ECharts, made again for each update, theme and width. `label`: what a reader
 * hears; `height`: pixels; either may be a function. `onPick([x, y])`: values under a click in the first grid.
 */
export function chart({ theme, words }, { label, height = 280, build, onPick }) {
  const element = el("div.chart", { role: "img" });
  const now = (given) => (typeof given === "function" ? given() : given);
  let drawn = null;
  let width = 0;
  let gone = false;
  let due = 0;

  function draw() {
    due = 0;
    if (gone || !drawn) return;
    if (!width) return; // folded away: drawn once there is room
    if (drawn.getWidth() !== width || drawn.getHeight() !== now(height)) drawn.resize({ width, height: now(height) });
    const colours = theme.colours;
    element.setAttribute("aria-label", now(label));
    drawn.setOption({ ...common(colours), ...build(colours, width) }, { notMerge: true });
  }

  function update() {
    element.style.height = `${now(height)}px`;
    due ||= requestAnimationFrame(draw);
  }

  const sizes = new ResizeObserver(([entry]) => {
    const seen = Math.round(entry.contentRect.width);
    if (!seen || seen === width) return;
    width = seen;
    update();
  });
  sizes.observe(element);
  element.style.height = `${now(height)}px`;

  loading.then((echarts) => {
    if (gone) return;
    drawn = echarts.init(element, null, { renderer: "svg", locale: words.language.toUpperCase(), width: width || 1, height: now(height) });
    if (onPick)
      drawn.getZr().on("click", ({ offsetX, offsetY }) => {
        const point = [offsetX, offsetY];
        if (drawn.containPixel({ gridIndex: 0 }, point)) onPick(drawn.convertFromPixel({ gridIndex: 0 }, point));
      });
    update();
  });
  const off = theme.onChange(update);

  return {
    element,
    update,
    dispose() {
      gone = true;
      off();
      sizes.disconnect();
      cancelAnimationFrame(due);
      drawn?.dispose();
    },
  };
}

function common(colours) {
  return {
    animation: false,
    backgroundColor: "transparent",
    color: colours.groups,
    textStyle: { fontFamily: FONT, fontSize: 12, color: colours.text },
  };
}

/** An axis in the page's manner; `more` goes over it. */
export function axis(colours, more = {}) {
  const label = { color: colours.quiet, fontSize: 11, hideOverlap: true };
  return {
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: label,
    nameTextStyle: { color: colours.quiet, fontSize: 11 },
    splitLine: { lineStyle: { color: colours.line, width: 1 } },
    ...more,
    ...(more.type === "value" ? { axisLabel: { ...label, formatter: mark, ...more.axisLabel } } : {}),
  };
}

/** A mark of an axis: 960000000000 -> 960 G, so that it stays short. */
function mark(value) {
  const step = Math.abs(value) < 1e6 ? 0 : Math.min(5, Math.floor(Math.log10(Math.abs(value)) / 3 + 1e-9));
  const text = step ? `${Number((value / 1000 ** step).toPrecision(6))} ${"kMGTP"[step - 1]}` : String(value);
  return text.replace("-", "−");
}

/** A line with two short ends, upright or lying: a standard error. */
export function errorBar([x1, y1], [x2, y2], stroke) {
  const [dx, dy] = x1 === x2 ? [3, 0] : [0, 3];
  const part = (a, b, c, d) => ({ type: "line", shape: { x1: a, y1: b, x2: c, y2: d }, style: { stroke, lineWidth: 1 } });
  return {
    type: "group",
    children: [
      part(x1, y1, x2, y2), part(x1 - dx, y1 - dy, x1 + dx, y1 + dy), part(x2 - dx, y2 - dy, x2 + dx, y2 + dy),
    ],
  };
}

/** A tooltip of plain text; `format(params)` -> lines. */
export function tip(colours, format, more = {}) {
  return {
    renderMode: "richText",
    confine: true,
    backgroundColor: colours.ground,
    borderColor: colours.line,
    padding: [6, 8],
    textStyle: { color: colours.text, fontSize: 12, fontFamily: FONT },
    formatter: (params) => format(params).map(plain).join("\n"),
    ...more,
  };
}

/** Braces mean styles in the library's rich text: a name from data may hold them. */
export function plain(text) {
  return String(text).replace(/[{}|]/g, (c) => ({ "{": "❴", "}": "❵", "|": "❘" })[c]);
}
