"""Permutation importance: how much worse the model gets when a player's columns are shuffled among the rows.

    value_p = mean_r mean_i L(y_i, f(x_i with columns p of row s_r(i))) - mean_i L(y_i, f(x_i))

s_r: permutations without a row that keeps its own (shifts of a random order). Breiman 2001; Fisher et al. 2019, whose
U-statistic the mean over rows i and donors j is. Its error over rows counts a row both as receiver and as donor:

    stderr = sd_i(R_i + D_i - L_i) / sqrt(b),    R_i, D_i: mean loss where row i receives, where it gives; L_i: its own

Shuffling breaks the dependence between features, so the model is asked about rows that may not exist; SAGE over a
conditional does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError
from ascribe.core.features import players_of
from ascribe.core.importance.losses import loss_of, unit_of
from ascribe.core.importance.record import Importance
from ascribe.core.importance.rows import measured
from ascribe.core.model import Model

__all__ = ["permutation_importance"]


def permutation_importance(
    model: Model,
    X: Float[np.ndarray, "b n"],
    y: Float[np.ndarray, " rows"] | None = None,
    loss: str = "squared",
    repeats: int = 10,
    groups: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
    step: Callable[[], None] | None = None,
) -> Importance:
    """Values in the loss's unit; `step` is called after each player. `groups` are shuffled together.

    Raises InputError for fewer than one repeat, a seed below 0 and for what `measured` and `loss_of` refuse.
    """
    if repeats < 1:
        raise InputError(f"repeats is at least 1, not {repeats}")
    if seed < 0:
        raise InputError(f"seed is a number from 0, not {seed}")
    players = players_of(model.names, groups)
    X, y, f = measured(model, X, y)
    assert model.predict is not None
    cost, b = loss_of(loss, y, f), len(X)
    own = cost(y, f)
    given = [_donors(b, np.random.default_rng([seed, r])) for r in range(repeats)]  # the same for every player
    values, stderr = np.empty(len(players.names)), np.empty(len(players.names))
    for p, member in enumerate(players.member):
        receives, gives = np.zeros(b), np.zeros(b)
        for donor in given:
            Z = X.copy()
            Z[:, member] = X[donor][:, member]
            lost = cost(y, np.asarray(model.predict(Z), dtype=float).reshape(-1))
            receives += lost / repeats
            gives[donor] += lost / repeats
        values[p] = receives.mean() - own.mean()
        stderr[p] = (receives + gives - own).std(ddof=1) / np.sqrt(b)
        if step:
            step()
    return Importance(
        players.names, values, stderr, "permutation", b, unit_of(loss, model.unit), loss, seed,
        told={"loss": float(own.mean())},
    )  # fmt: skip


def _donors(b: int, rng: np.random.Generator) -> np.ndarray:
    """Row i receives from row s(i), never from itself; every row gives once."""
    order = rng.permutation(b)
    donor = np.empty(b, int)
    donor[order] = np.roll(order, int(rng.integers(1, b)))
    return donor
