"""`learnt`: a fixed matrix that has seen games of the same model before.

The readings fit the scales of their kernel to each row's own values, so no matrix is the same for two rows. Games of
one model are much alike: scales by the sum of the likelihoods of several training rows (`evidence.scales`) leave about
the error of a fit to each row, and the reading is then a matrix: a plan, which a graph can hold.

    phi = W w,     W of `odd.regress` at fixed scales
    moved_g = -W[:, g] P[g, g]^-1 P[g, :]      what leaving group g of the pairs out does to phi, linear in w
    deviations_g = widen a_i moved_g w,        a_i^2 = Var_i / sum_g (moved_g K moved_g')_ii

so that over games of the prior the squared deviations sum to the posterior variance. On training rows, against many
more coalitions, the errors are measured: half of their mean square is given to each row by its own deviations
(`widen`), half to all rows alike (`floor`, for `judged` coalitions; it shrinks with their root). Deviations alone cover
too little where a row's game is unlike the prior; a constant alone is too wide for quiet rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ascribe.core.adjusted.cube import Cube
from ascribe.core.adjusted.evidence import JITTER, Kernel, scales
from ascribe.core.adjusted.odd import ADDITIVE, regress
from ascribe.core.adjusted.pairs import pairs_of
from ascribe.core.adjusted.unanimity import Unanimity
from ascribe.core.arrays import Float, np
from ascribe.core.plan import Plan

__all__ = ["Reading", "fit_scales", "learnt"]

PATIENCE = 60  # steps of the search: it is made once for a model, not once for a row
KERNELS: dict[str, type[Kernel]] = {"odd": Cube, "unanimity": Unanimity}


@dataclass(frozen=True)
class Reading:
    """A kernel by the name of its reading, its scales `b` (one a player) and `rho`; `widen`, `floor` (one a player, in
    the unit of v), `judged`: see above.
    """

    kind: str
    b: tuple[float, ...]
    rho: float
    widen: float = 1.0
    floor: tuple[float, ...] = ()
    judged: int = 0


def fit_scales(kind: str, plan: Plan, V: Float[np.ndarray, "r m"]) -> Reading:
    """Scales shared by the games of `r` rows, whose values at the coalitions of a plan are V."""
    pairs = pairs_of(plan)
    w = ((V[:, pairs.up] - V[:, pairs.down]) / 2).T
    rest = w - pairs.s @ np.linalg.lstsq(pairs.s, w, rcond=None)[0]
    size = np.abs(rest).max(axis=0)
    more = size > ADDITIVE * np.abs(w).max(axis=0)  # than what digits leave of single terms
    rest = rest[:, more] / size[more]
    p = pairs.s.shape[1]
    if not rest.size:  # sums of single terms, all of them: any scales read those
        return Reading(kind, (KERNELS[kind].start(p),) * p, 0.5)
    b, rho = scales(KERNELS[kind], pairs.s, rest, PATIENCE)
    return Reading(kind, tuple(b.tolist()), rho)


@lru_cache(maxsize=4)
def learnt(coalitions: Plan, reading: Reading) -> Plan:
    """A reading's own plan over the coalitions of another, which come with their complements."""
    pairs = pairs_of(coalitions)
    n, p = pairs.s.shape
    kernel = KERNELS[reading.kind](np.array(reading.b))
    found = regress(pairs, np.zeros(n), kernel, reading.rho)
    W = found.W + (2 * (np.arange(n) == 0) - found.W.sum(axis=0)) / p  # efficiency's last digits
    P = found.root.T @ found.root - found.R.T @ found.R
    K = (1 - reading.rho) * kernel.gram(pairs.s)[0] + (reading.rho + JITTER) * np.eye(n)
    groups = pairs.groups()
    moved = np.array([-found.W[:, g] @ np.linalg.solve(P[np.ix_(g, g)], P[g]) for g in groups])  # (g, p, n)
    size = np.einsum("gin,nk,gik->i", moved, K, moved, optimize=True)
    a = np.sqrt(np.divide(found.variance, size, out=np.zeros_like(size), where=size > 0))
    spread = moved * (reading.widen * a)[:, None]
    root = np.sqrt(len(groups) / max(len(groups) - 1, 1))  # `Plan.solved` takes it out again
    matrix = pairs.on_values(W)
    jackknife = np.array([matrix + root * pairs.on_values(part) for part in spread])
    floor = np.array(reading.floor or (0.0,)) * np.sqrt(reading.judged / len(coalitions.S))
    return Plan(coalitions.S, matrix, jackknife, "learnt", exact=False, floor=floor)
