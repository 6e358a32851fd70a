// One answered row as a waterfall: its largest shares, and the smallest together.
import { baseOf } from "./answer.js";
import { host, minus, plus } from "./scale.js";
import { stepsOf, waterfall } from "./waterfall.js";

const SHOWN = 12;

/** `shares`: the largest first; `labelled(name)`: the name with its value; `isHost(name)`: whether another party holds it. */
export function fall(context, answer, row, shares, label, labelled, isHost = () => false) {
  const { words } = context;
  const shown = shares.length > SHOWN + 1 ? shares.slice(0, SHOWN) : shares;
  const rest = shares.slice(shown.length);
  const parts = shown.map((one) => ({ ...one, kind: isHost(one.name) ? "host" : "share", label: labelled(one.name) }));
  if (rest.length)
    parts.push({
      kind: "rest", name: words.t("explain.others", { count: rest.length }), value: rest.reduce((sum, one) => sum + one.value, 0),
      error: Math.hypot(...rest.map((one) => one.error)),
    });
  const ends = { base: baseOf(answer, row), prediction: row.prediction, unexplained: row.unexplained_w, measured: row.measured_w };
  const held = { steps: stepsOf((kind) => words.t(`explain.${kind === "predicted" ? "prediction" : kind}`), ends, parts), unit: answer.told.unit || "1" };
  const fill = ({ kind, value }, colours) =>
    kind === "unexplained" ? colours.residual : kind === "host" ? host() : value < 0 ? minus() : plus();
  return waterfall(context, { label, held: () => held, fill });
}
