// One node's moments in a window, as columns: asked for once, then grown at its end and cut at its beginning.
const MOST = 1500;
const POINTS = 450; // of a window of 15 minutes: each moment of a meter that is read every 2 s

/** history.t_us, .measured_w, .prediction_w, .groups[g], .stderr_w[g], .bases_w: arrays of one length. `tell()`: they were loaded. */
export function createHistory(api, name, model, tell) {
  let asked = 0;
  const history = {
    span_us: 15 * 60e6,
    unit: "W", base_w: null, t_us: [], measured_w: [], prediction_w: [], unexplained_w: [], bases_w: [], status: [],
    groups: {}, stderr_w: {}, groups_of: {}, mean_s: [],
    loaded: false, problem: null,
    async load(span_us = history.span_us) {
      const own = ++asked;
      history.span_us = span_us;
      const to = Date.now() * 1000;
      try {
        const got = await api.get(`/v1/nodes/${encodeURIComponent(name)}/history`, {
          model: model(), from: Math.round(to - span_us), to: Math.round(to), points: POINTS,
        });
        if (own !== asked) return;
        Object.assign(history, got, { loaded: true, problem: null });
      } catch (problem) {
        if (own !== asked) return;
        history.problem = problem;
      }
      tell();
    },
    /** A moment of the stream. */
    add(one) {
      if (!history.loaded || !(one.timestamp_us > (history.t_us.at(-1) ?? -Infinity))) return;
      if (!Number.isFinite(one.prediction_w)) return;
      history.base_w = one.base_w ?? history.base_w;
      history.t_us.push(one.timestamp_us);
      history.mean_s.push(0);
      history.bases_w.push(one.base_w);
      for (const key of ["measured_w", "prediction_w", "unexplained_w", "status"]) history[key].push(one[key]);
      for (const g of Object.keys(history.groups)) history.groups[g].push(one.groups?.[g] ?? null);
      for (const g of Object.keys(history.stderr_w)) history.stderr_w[g].push(one.stderr_w?.[g] ?? null);
      const first = history.t_us.findIndex((t) => t >= one.timestamp_us - history.span_us);
      if (first > 0) cut(first);
      if (history.t_us.length > MOST) cut(history.t_us.length - MOST);
    },
    /** Whether it ends before a time by more than the distance of its points. */
    behind: (us) => (history.t_us.at(-1) ?? 0) < us - (2 * history.span_us) / POINTS,
    /** The moment at an index, as /v1/now writes one. */
    at(index) {
      const pick = (columns) => Object.fromEntries(Object.entries(columns).map(([g, values]) => [g, values[index]]));
      return {
        node: name, timestamp_us: history.t_us[index], measured_w: history.measured_w[index],
        prediction_w: history.prediction_w[index], unexplained_w: history.unexplained_w[index],
        base_w: history.bases_w[index], mean_s: history.mean_s[index], status: history.status[index],
        groups: pick(history.groups), stderr_w: pick(history.stderr_w),
      };
    },
    /** The index of the moment nearest to a time. */
    nearest(us) {
      let found = -1;
      history.t_us.forEach((t, at) => {
        if (found < 0 || Math.abs(t - us) < Math.abs(history.t_us[found] - us)) found = at;
      });
      return found;
    },
  };

  function cut(count) {
    const { t_us, measured_w, prediction_w, unexplained_w, bases_w, status, mean_s } = history;
    const columns = [t_us, measured_w, prediction_w, unexplained_w, bases_w, status, mean_s];
    for (const column of [...columns, ...Object.values(history.groups), ...Object.values(history.stderr_w)])
      column.splice(0, count);
  }
  return history;
}
