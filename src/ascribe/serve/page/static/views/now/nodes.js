// What is known of every node now: asked for once, then kept up by the stream.
const SPARK = 60;

/** nodes.all: Map of node -> its record as /v1/now has it; nodes.onChange(f), nodes.onMoment(f(record)) -> off. */
export function createNodes({ api, stream }) {
  const all = new Map();
  const heard = new Set();
  const moments = new Set();
  let asked = 0;

  const nodes = {
    all,
    model: "", name: "", version: "", unit: "W", groups: [],
    loaded: false, problem: null,
    choose(model) {
      nodes.model = model;
      all.clear();
      nodes.loaded = false;
      load();
    },
    onChange: (call) => listen(heard, call),
    onMoment: (call) => listen(moments, call),
    close: () => offs.forEach((off) => off()),
  };

  function listen(where, call) {
    where.add(call);
    return () => where.delete(call);
  }

  async function load() {
    const own = ++asked;
    try {
      const now = await api.get("/v1/now", { model: nodes.model });
      if (own !== asked) return;
      const { model: name, version, unit, groups } = now;
      Object.assign(nodes, { name, version, unit, groups, loaded: true, problem: null });
      const left = new Set(all.keys());
      for (const one of now.nodes) {
        all.set(one.node, { ...one, spark: (one.spark ?? []).slice(-SPARK) });
        left.delete(one.node);
      }
      left.forEach((gone) => all.delete(gone));
    } catch (problem) {
      if (own !== asked) return;
      nodes.problem = problem;
    }
    heard.forEach((tell) => tell());
  }

  function moment(one) {
    if (!nodes.loaded || (one.model && one.model !== nodes.name)) return;
    const before = all.get(one.node);
    if (before && one.timestamp_us < before.timestamp_us) return;
    const spark = before?.spark ?? [];
    if (Number.isFinite(one.prediction_w) && one.timestamp_us !== before?.timestamp_us) {
      spark.push(one.prediction_w);
      if (spark.length > SPARK) spark.splice(0, spark.length - SPARK);
    }
    const record = { ...one, spark };
    all.set(one.node, record);
    moments.forEach((tell) => tell(record));
    if (!before) heard.forEach((tell) => tell());
  }

  const offs = [
    stream.on("moment", moment),
    stream.on("again", load),
    stream.on("lost", load),
    stream.on("version", load),
  ];
  return nodes;
}

/** measured - prediction; null where either is missing. */
export function unexplained(one) {
  return Number.isFinite(one.measured_w) && Number.isFinite(one.prediction_w) ? one.measured_w - one.prediction_w : null;
}

/** Groups of a moment by size, largest first: [[name, watts, standard error or null]]. */
export function parts(one) {
  return Object.entries(one.groups ?? {})
    .map(([name, watts]) => [name, watts, one.stderr_w?.[name] ?? null])
    .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
}
