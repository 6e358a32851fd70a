// The parts of a node in one small bar: to the right of the line what adds to the base, to the left what takes away.
import { svg } from "../../dom.js";
import { colourOf } from "./colours.js";

const WIDTH = 200;
const HEIGHT = 14;

/** bar.draw(record, groups, most, colours): `most` watts reach from the line to either end, the same for all nodes. */
export function createPartsBar() {
  const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, "aria-hidden": "true" };
  const element = svg("svg.parts", box);
  return {
    element,
    draw(one, groups, most, colours) {
      const scale = (WIDTH / 2 - 1) / Math.max(most, 1e-9);
      let [right, left] = [WIDTH / 2, WIDTH / 2];
      const bars = groups.map((group, at) => {
        const length = Math.abs(one.groups?.[group] ?? 0) * scale;
        const x = one.groups?.[group] < 0 ? (left -= length) : (right += length) - length;
        return svg("rect", { x: x.toFixed(1), y: 2, width: length.toFixed(1), height: HEIGHT - 4, fill: colourOf(colours, at) });
      });
      const line = svg("line", { x1: WIDTH / 2, x2: WIDTH / 2, y1: 0, y2: HEIGHT, stroke: colours.text });
      element.replaceChildren(...bars, line);
    },
  };
}

/** Watts of the longer side of a node's parts. */
export function reach(one) {
  const values = Object.values(one.groups ?? {}).filter(Number.isFinite);
  const side = (sign) => values.reduce((sum, value) => sum + Math.max(sign * value, 0), 0);
  return Math.max(side(1), side(-1));
}
