// A small line of the last values. Its scale is its own, so that it shows when, not how much: the number stands beside it.
import { svg } from "../../dom.js";

const WIDTH = 96;
const HEIGHT = 22;
const LEAST = 0.04; // of the value: what varies less is drawn as nearly flat

export function createSpark() {
  const line = svg("polyline", { fill: "none", "vector-effect": "non-scaling-stroke" });
  const dot = svg("circle", { r: 1.8 });
  const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, "aria-hidden": "true" };
  const element = svg("svg.spark", box, line, dot);
  return {
    element,
    draw(values) {
      element.toggleAttribute("hidden", values.length < 2);
      if (values.length < 2) return;
      const low = Math.min(...values);
      const high = Math.max(...values);
      const span = Math.max(high - low, Math.abs(high) * LEAST, 1e-9);
      const middle = (low + high) / 2;
      const points = values.map((value, at) => [
        2 + (at / (values.length - 1)) * (WIDTH - 5),
        HEIGHT / 2 - ((value - middle) / span) * (HEIGHT - 6),
      ]);
      line.setAttribute("points", points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "));
      const [x, y] = points.at(-1);
      dot.setAttribute("cx", x.toFixed(1));
      dot.setAttribute("cy", y.toFixed(1));
    },
  };
}
