// How far two orders agree.

/** Spearman's rank correlation of two lists, ties at their mean rank; null where one does not vary. */
export function rankCorrelation(one, other) {
  const [a, b] = [ranks(one), ranks(other)];
  const mean = (a.length + 1) / 2;
  let [top, left, right] = [0, 0, 0];
  a.forEach((rank, k) => {
    top += (rank - mean) * (b[k] - mean);
    left += (rank - mean) ** 2;
    right += (b[k] - mean) ** 2;
  });
  return left && right ? top / Math.sqrt(left * right) : null;
}

function ranks(values) {
  const order = values.map((value, at) => [value, at]).sort((x, y) => x[0] - y[0]);
  const found = new Array(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to < order.length && order[to][0] === order[from][0]) to += 1;
    for (let k = from; k < to; k += 1) found[order[k][1]] = (from + to + 1) / 2;
    from = to;
  }
  return found;
}
