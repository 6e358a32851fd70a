// What is known of every node now: asked for once, then kept up by the stream.
import { AGAIN_MS, passing } from "../../again.js";
import { createHeard } from "../../heard.js";

const SPARK = 60;
const LOOK_MS = 30000; // that a node fell silent, or is gone, is no event: it is heard of by asking

/** nodes.all: Map of node -> its record as /v1/now has it; nodes.onChange(f), nodes.onMoment(f(record)) -> off. */
export function createNodes({ api, stream }) {
  const all = new Map();
  const heard = createHeard();
  const moments = createHeard();
  let asked = 0;
  let timer = 0;

  const nodes = {
    all,
    model: "", name: "", channel: "", output: "", version: "", tier: "", unit: "W", groups: [], bound: false,
    not_followed: 0,
    loaded: false, problem: null,
    choose(model) {
      nodes.model = model;
      all.clear();
      nodes.loaded = false;
      load();
    },
    onChange: heard.on,
    onMoment: moments.on,
    close() {
      asked += 1; // what is under way comes too late
      clearTimeout(timer);
      offs.forEach((off) => off());
    },
  };

  async function load() {
    const own = ++asked;
    clearTimeout(timer);
    try {
      const now = await api.get("/v1/now", { model: nodes.model });
      if (own !== asked) return;
      const { model: name, channel, output, version, tier, unit, groups, bound, not_followed } = now;
      const head = { name, channel, output, version, tier, unit, groups, bound, not_followed };
      Object.assign(nodes, head, { loaded: true, problem: null });
      const left = new Set(all.keys());
      for (const one of now.nodes) {
        left.delete(one.node);
        if (all.get(one.node)?.timestamp_us > one.timestamp_us) continue; // the stream was faster
        all.set(one.node, { ...one, spark: (one.spark ?? []).filter(Number.isFinite).slice(-SPARK) });
      }
      left.forEach((gone) => all.delete(gone));
    } catch (problem) {
      if (own !== asked) return;
      nodes.problem = problem;
    }
    if (!nodes.problem || passing(nodes.problem)) timer = setTimeout(later, nodes.problem ? AGAIN_MS : LOOK_MS);
    heard.tell();
  }

  /** Where the service has no events the page says that it stands still, and does. */
  function later() {
    if (nodes.problem || stream.state !== "none") load();
  }

  function moment(one) {
    if (!nodes.loaded || one.model !== nodes.name || one.channel !== nodes.channel || one.output !== nodes.output) return;
    const before = all.get(one.node);
    if (before && one.timestamp_us < before.timestamp_us) return;
    const spark = before?.spark ?? [];
    if (Number.isFinite(one.prediction_w) && one.timestamp_us !== before?.timestamp_us) {
      spark.push(one.prediction_w);
      if (spark.length > SPARK) spark.splice(0, spark.length - SPARK);
    }
    const record = { ...one, spark };
    all.set(one.node, record);
    moments.tell(record);
    if (!before) heard.tell();
  }

  const offs = [
    stream.on("moment", moment),
    stream.on("again", load),
    stream.on("lost", load),
    stream.on("version", load),
  ];
  return nodes;
}

/** A group in the reader's language, where it is one of the built-in ones. */
export function groupName(words, group) {
  return words.has(`now.groups.${group}`) ? words.t(`now.groups.${group}`) : group;
}

/** Groups of a moment by size, largest first: [[name, watts, standard error or null]]. */
export function parts(one) {
  return Object.entries(one.groups ?? {})
    .map(([name, watts]) => [name, watts, one.stderr_w?.[name] ?? null])
    .filter(([, watts]) => Number.isFinite(watts))
    .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
}
