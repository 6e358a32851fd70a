"""Small random trees, and both games on them straight from the definition. Shares no code with the package."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np

from ascribe.core.trees import Trees

CATEGORIES = 4


def random_trees(seed: int, n: int = 5, t: int = 3, depth: int = 4, comparison: str = "<=") -> Trees:
    """Thresholds on a grid that rows share, so that many lie exactly on one; the last feature is categorical; some
    branches are covered by few rows; features repeat on ways.
    """
    rng = np.random.default_rng(seed)
    nodes: list[dict] = []
    start = [0]

    def grow(level: int, cover: float) -> int:
        i = len(nodes)
        node = {"feature": -1, "threshold": 0.0, "left": -1, "right": -1, "value": 0.0, "cover": cover, "sets": []}
        nodes.append(node | {"missing_left": rng.random() < 0.5, "other_left": rng.random() < 0.5})
        if level < depth and (level == 0 or rng.random() < 0.9):
            j, share = int(rng.integers(n)), rng.uniform(0.02, 0.98)
            nodes[i] |= {"feature": j, "threshold": rng.integers(-3, 4) / 2}
            if j == n - 1:
                nodes[i]["sets"] = (rng.random(CATEGORIES) < 0.5).tolist()
            nodes[i]["left"] = grow(level + 1, cover * share)
            nodes[i]["right"] = grow(level + 1, cover * (1 - share))
        else:
            nodes[i]["value"] = rng.standard_normal()
        return i

    for _ in range(t):
        grow(0, 100.0)
        start.append(len(nodes))
    columns = {name: np.array([node[name] for node in nodes]) for name in nodes[0] if name not in ("sets", "value")}
    sets = [node["sets"] for node in nodes]
    return Trees(
        tuple(f"x{i}" for i in range(n)), np.array(start), value=np.array([[node["value"]] for node in nodes]),
        output=np.zeros(t, int), base=np.array([0.3]), comparison=comparison,
        categories=np.concatenate([np.zeros(0), *sets]).astype(bool),
        category_start=np.concatenate([[0], np.cumsum([len(s) for s in sets])]).astype(int), **columns,
    )  # fmt: skip


def random_rows(seed: int, count: int, n: int = 5) -> np.ndarray:
    """On the grid of thresholds; a fifth is missing; categories known, unknown and negative."""
    rng = np.random.default_rng([seed, 1])
    X = rng.integers(-3, 4, (count, n)) / 2
    X[:, -1] = rng.integers(-1, CATEGORIES + 2, count)
    X[rng.random(X.shape) < 0.2] = np.nan
    return X


def goes_left(t: Trees, i: int, x: np.ndarray) -> bool:
    v, (first, last) = x[t.feature[i]], t.category_start[i : i + 2]
    if np.isnan(v):
        return bool(t.missing_left[i])
    if last > first:
        return bool(t.categories[first + int(v)] if 0 <= v < last - first else t.other_left[i])
    return bool(v < t.threshold[i] if t.comparison == "<" else v <= t.threshold[i])


def value(t: Trees, x: np.ndarray, S: tuple[int, ...], background: np.ndarray | None) -> float:
    """v(S): by cover, or as the mean over background rows."""

    def covered(i: int) -> float:
        left, right = t.left[i], t.right[i]
        if left < 0:
            return t.value[i, 0]
        if t.feature[i] in S:
            return covered(left if goes_left(t, i, x) else right)
        return (covered(left) * t.cover[left] + covered(right) * t.cover[right]) / t.cover[i]

    def walked(i: int, z: np.ndarray) -> float:
        while t.left[i] >= 0:
            i = t.left[i] if goes_left(t, i, z) else t.right[i]
        return t.value[i, 0]

    roots = t.start[:-1]
    if background is None:
        return t.base[0] + sum(covered(i) for i in roots)
    mixed = background.copy()
    mixed[:, list(S)] = x[list(S)]
    return t.base[0] + float(np.mean([sum(walked(i, z) for i in roots) for z in mixed]))


def by_definition(
    t: Trees, x: np.ndarray, background: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """phi (n,), interaction values (n, n), v(empty), v(all); from the values of all coalitions."""
    n = len(t.features)
    v = {S: value(t, x, S, background) for k in range(n + 1) for S in combinations(range(n), k)}

    def at(*members: int) -> float:
        return v[tuple(sorted(members))]

    phi, both = np.zeros(n), np.zeros((n, n))
    for i in range(n):
        others = [j for j in range(n) if j != i]
        for k in range(n):
            weight = factorial(k) * factorial(n - k - 1) / factorial(n)
            phi[i] += weight * sum(at(*S, i) - at(*S) for S in combinations(others, k))
        for j in others:
            rest = [m for m in others if m != j]
            for k in range(n - 1):
                weight = factorial(k) * factorial(n - k - 2) / factorial(n - 1) / 2
                both[i, j] += weight * sum(at(*S, i, j) - at(*S, i) - at(*S, j) + at(*S) for S in combinations(rest, k))
    both[np.diag_indices(n)] = phi - both.sum(axis=1)
    return phi, both, v[()], v[tuple(range(n))]
