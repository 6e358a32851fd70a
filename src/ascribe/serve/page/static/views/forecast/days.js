// By day of the window: how much attention a day gets, and how much of the explained number hangs on it.
//
//   attention of a day = mean over queries of the weight of its keys, each key's spread evenly over its steps
//   weight of a day    = sum over its inputs of |share|
//   agreement          = Spearman's rank correlation of the two over the days, ties at their mean rank

const PLAYER = /^(.*), (\d+) days? ago$/s;

/** Shares by player -> {days (oldest first, counted back), inputs, grid[input][day]: {share, error}}. */
export function byDay({ shares, stderr }) {
  const players = Object.entries(shares).map(([name, share]) => {
    const [, input, day] = PLAYER.exec(name) ?? [null, name, "1"];
    return { input, day: Number(day), share, error: stderr[name] ?? 0 };
  });
  const days = [...new Set(players.map(({ day }) => day))].sort((a, b) => b - a);
  const inputs = [...new Set(players.map(({ input }) => input))];
  const grid = inputs.map((input) => days.map((day) => players.find((one) => one.input === input && one.day === day) ?? null));
  return { days, inputs, grid };
}

export const sizes = ({ days, grid }) => days.map((_, d) => grid.reduce((sum, row) => sum + Math.abs(row[d]?.share ?? 0), 0));

/** Mean over the queries, by key. */
function keyMeans({ query, key, weights }) {
  return key.map((_, k) => query.reduce((sum, _, q) => sum + weights[q * key.length + k], 0) / query.length);
}

/** Attention by day, or null where the model does not say which steps a key covers. */
export function attended(layer, { attends, context, step_s }, days) {
  const covers = attends?.[layer.layer];
  if (!covers || covers.length !== layer.key.length) return null;
  const a_day = Math.max(1, Math.round(86400 / step_s));
  const found = new Map(days.map((day) => [day, 0]));
  keyMeans(layer).forEach((weight, k) => {
    const [first, end] = covers[k];
    for (let step = first; step < end; step++) {
      const day = Math.floor((context - 1 - step) / a_day) + 1;
      if (found.has(day)) found.set(day, found.get(day) + weight / (end - first));
    }
  });
  return days.map((day) => found.get(day));
}

/** Where the largest stands. */
export const heaviest = (values) => values.indexOf(Math.max(...values));
