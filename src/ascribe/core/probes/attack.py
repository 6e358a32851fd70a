"""Attacks by the gradient: the row in a ball that moves the prediction most.

    fgsm    one step of epsilon along the steepest direction; Goodfellow et al. 2015
    pgd     `steps` of 2.5 epsilon / steps, put back into the ball, from the row and from random starts;
            Madry et al. 2018

Of a linear model both are exact: under linf the prediction moves by epsilon sum_j scale_j |w_j|, under l2 by
epsilon |scale w|, unless a column meets its end.
"""

from __future__ import annotations

from ascribe.core.arrays import Float, np
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.model import Model
from ascribe.core.probes.ball import Ball

__all__ = ["ATTACKS", "attack"]

ATTACKS = ("fgsm", "pgd")
STEPS, STARTS, PACE = 20, 2, 2.5


def attack(
    model: Model,
    X: Float[np.ndarray, "b n"],
    ball: Ball,
    method: str = "pgd",
    sign: float | Float[np.ndarray, " b"] = -1.0,
    steps: int = STEPS,
    starts: int = STARTS,
    seed: int = 0,
) -> Float[np.ndarray, "b n"]:
    """Rows that lower the prediction most (`sign` -1), or raise it (+1, or a sign of each row). `starts`: of PGD, the
    row itself and starts - 1 random rows of the ball; the best that was met is kept.

    Raises CapabilityError for a model without gradient or whose rows are words, InputError for an unknown method.
    """
    if model.gradient is None or model.predict is None:
        raise CapabilityError("attacks need gradient, which this model does not offer: a network has one when imported")
    if model.layout.kind == "text":
        raise CapabilityError("attacks move numbers a little: the words of a text have no small change")
    if method not in ATTACKS:
        raise InputError(f"no attack '{method}': use {' or '.join(ATTACKS)}")
    up = np.broadcast_to(np.asarray(sign, dtype=float), (len(X),))[:, None]
    if method == "fgsm":
        return ball.within(X, X + ball.epsilon * ball.steepest(up * model.gradient.slope(X, X)[1]))
    rng, pace = np.random.default_rng(seed), PACE * ball.epsilon / max(1, steps)
    best, most = X.copy(), np.full(len(X), -np.inf)
    for start in range(max(1, starts)):
        Z = X if start == 0 else ball.drawn(X, rng)
        for step in range(steps + 1):
            f, slope = model.gradient.slope(Z, Z)
            reached = up[:, 0] * np.asarray(f, dtype=float).reshape(-1)
            better = reached > most
            best[better], most[better] = Z[better], reached[better]
            if step < steps:
                Z = ball.within(X, Z + pace * ball.steepest(up * slope))
    return best
