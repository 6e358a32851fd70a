"""What drifted, in words: each quantity's shift between two samples, and the verdict over all of them.

A shift is read by its PSI: below `watch` it is steady, from `drifted` on it has drifted. An input that the model hardly
uses may drift without harm, so inputs count by the share of the attributed output that they carry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ascribe.core.arrays import Float, np
from ascribe.core.drift import ks, psi
from ascribe.core.words import listed

__all__ = ["WORDS", "Drift", "Shift", "Thresholds", "shifts", "verdict", "word"]

WORDS = ("steady", "watch", "drifted")
DRAWN = 24  # bins of a drawn histogram
TAIL = 0.005  # of the pooled rows beyond either end of it; they are counted in its last bins


@dataclass(frozen=True)
class Thresholds:
    """`watch`, `drifted`: PSI. `weight`: share of the attributed output that drifted inputs must carry together to
    count as drift of the model. `p`: energy distance must be rarer than this among exchanged blocks, or all that is
    seen is how blocks of one series differ anyway.
    """

    watch: float = 0.1
    drifted: float = 0.25
    weight: float = 0.1
    p: float = 0.01


@dataclass(frozen=True)
class Shift:
    """One column, before and now. `ks`, `p`: for independent rows; `outside`: share of rows now beyond all that was
    before; `weight`: its share of the attributed output; `edges (k+1)`, `shares_before`, `shares_now (k)`: histograms.
    """

    name: str
    unit: str
    psi: float
    ks: float
    p: float
    outside: float
    mean_before: float
    mean_now: float
    weight: float
    edges: tuple[float, ...]
    shares_before: tuple[float, ...]
    shares_now: tuple[float, ...]


@dataclass(frozen=True)
class Drift:
    """One comparison. `model`, `version`: whose reference rows; `before`, `now`: where each sample comes from, in
    words; `tier`: what explained ("" where nothing could); `energy`, `energy_p`: over all inputs, by `blocks`;
    `left_out`: rows now that no model can answer. `word` is the verdict, `reasons` why. Attributions, predictions and
    errors are in the output's unit.
    """

    model: str
    version: str
    at: str
    before: str
    now: str
    rows_before: int
    rows_now: int
    left_out: int
    inputs: tuple[Shift, ...]
    predictions: Shift
    attributions: tuple[Shift, ...]
    errors: Shift | None
    energy: float
    energy_p: float
    blocks: int
    tier: str
    thresholds: Thresholds
    word: str
    reasons: tuple[str, ...]


def word(shift: Shift, thresholds: Thresholds) -> str:
    """steady, watch or drifted."""
    return WORDS[(shift.psi >= thresholds.watch) + (shift.psi >= thresholds.drifted)]


def shifts(
    names: Sequence[str],
    units: Sequence[str],
    X: Float[np.ndarray, "a n"],
    Y: Float[np.ndarray, "b n"],
    weights: Float[np.ndarray, " n"],
) -> tuple[Shift, ...]:
    """Of each column, X before and Y now. Raises InputError as `core.drift.psi`."""
    sizes, (distance, p) = psi(X, Y), ks(X, Y)
    lowest, highest = X.min(axis=0), X.max(axis=0)
    outside = ((lowest > Y) | (highest < Y)).mean(axis=0)
    low, high = np.quantile(np.concatenate([X, Y]), [TAIL, 1 - TAIL], axis=0)
    found = []
    for j, (name, unit) in enumerate(zip(names, units, strict=True)):
        edges = np.linspace(low[j], high[j] if high[j] > low[j] else low[j] + 1, DRAWN + 1)
        drawn = [np.histogram(np.clip(part[:, j], edges[0], edges[-1]), edges)[0] / len(part) for part in (X, Y)]
        found.append(
            Shift(
                name, unit, float(sizes[j]), float(distance[j]), float(p[j]), float(outside[j]),
                float(X[:, j].mean()), float(Y[:, j].mean()), float(weights[j]),
                tuple(edges.tolist()), tuple(drawn[0].tolist()), tuple(drawn[1].tolist()),
            )
        )  # fmt: skip
    return tuple(found)


def verdict(
    inputs: Sequence[Shift],
    predictions: Shift,
    attributions: Sequence[Shift],
    errors: Shift | None,
    energy_p: float,
    thresholds: Thresholds,
) -> tuple[str, tuple[str, ...]]:
    """The word over all, and the reasons for it, the gravest first.

    drifted: predictions have; or inputs, or attributions, that carry `weight` of the output together have; or errors
    have and are larger now. Not where energy distance is no rarer than `p`: blocks of one series differ as much, and
    the word is then watch, as it is where anything is not steady. Errors that shrank are no cause for either.
    """
    grave: list[str] = []
    for what, held in (("inputs", inputs), ("attributions", attributions)):
        moved = [s for s in sorted(held, key=lambda s: -s.psi) if word(s, thresholds) == "drifted"]
        carried = sum(s.weight for s in moved)
        if moved and carried >= thresholds.weight:
            told = listed([f"{s.name} (PSI {s.psi:.2f})" for s in moved], 3)
            grave.append(f"{what} that carry {100 * carried:.0f} % of the output drifted: {told}")
    if word(predictions, thresholds) == "drifted":
        grave.append(
            f"predictions drifted (PSI {predictions.psi:.2f}): mean {predictions.mean_before:.4g} before, "
            f"{predictions.mean_now:.4g} {predictions.unit} now"
        )
    if errors is not None and word(errors, thresholds) == "drifted" and errors.mean_now > errors.mean_before:
        grave.append(f"errors grew: mean {errors.mean_before:.3g} before, {errors.mean_now:.3g} {errors.unit} now")
    if grave and energy_p > thresholds.p:
        doubt = f"but blocks of the same rows differ as much (energy distance, p {energy_p:.2g})"
        return "watch", (*grave, doubt)
    if grave:
        return "drifted", tuple(grave)
    named = [(s, s.name) for s in (*inputs, predictions)] + [(s, f"attribution to {s.name}") for s in attributions]
    if errors is not None and errors.mean_now > errors.mean_before:
        named.append((errors, "errors"))
    astir = [f"{name} (PSI {s.psi:.2f})" for s, name in sorted(named, key=_size) if word(s, thresholds) != "steady"]
    if astir:
        return "watch", (f"not steady: {listed(astir, 3)}",)
    return "steady", (f"every PSI is below {thresholds.watch:g}",)


def _size(named: tuple[Shift, str]) -> float:
    """The largest first."""
    return -named[0].psi
