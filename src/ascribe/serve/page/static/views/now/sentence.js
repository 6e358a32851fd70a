// A moment in one plain sentence or two. Names stand as they are.
import { clipped } from "../../dom.js";
import { parts } from "./nodes.js";

const NAMED = 3; // of the groups on each side
const LEAST = 0.005; // watts: less is shown as 0.00

export function sentence(words, one, unit) {
  if (!Number.isFinite(one.prediction_w)) return words.t("now.says.nothing", { node: clipped(one.node, 40) });
  const watts = (value) => `${words.number(Math.abs(value))} ${unit}`;
  const found = parts(one).filter(([, value]) => Math.abs(value) >= LEAST);
  const list = (keep) => found.filter(keep).slice(0, NAMED)
    .map(([name, value]) => words.t("now.says.one", { name: clipped(name, 40), watts: watts(value) }))
    .join(words.t("now.says.comma"));
  const plus = list(([, value]) => value > 0);
  const minus = list(([, value]) => value < 0);
  const measured = Number.isFinite(one.measured_w);
  return [
    words.t(measured ? "now.says.measured" : "now.says.unmeasured", {
      node: clipped(one.node, 40), measured: watts(one.measured_w), predicted: watts(one.prediction_w), base: watts(one.base_w),
    }),
    plus && words.t("now.says.plus", { list: plus }),
    minus && words.t("now.says.minus", { list: minus }),
    measured && words.t(one.measured_w >= one.prediction_w ? "now.says.more" : "now.says.less", {
      watts: watts(one.measured_w - one.prediction_w),
    }),
  ].filter(Boolean).join(words.t("now.says.space"));
}
