"""What of an explanation may be shown to whom: rounding, a smallest group, a budget for each caller.

The value of a host is one number a query, and attributions help to rebuild features (Luo et al., CCS 2022). A rounded
value beside an exact margin would be exact again, by efficiency: so all numbers are rounded together.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
from ascribe.core.errors import InputError
from ascribe.core.federated.codes import OK, WITHHELD
from ascribe.core.federated.components.boosted_trees import BoostedTrees
from ascribe.core.federated.merged import Answer
from ascribe.core.federated.party import Party

__all__ = ["Ledger", "Policy", "few_alike", "published", "withheld"]


@dataclass(frozen=True)
class Policy:
    """`step`: values, base and margin are multiples of it, in the margin's unit (0: as they are). `minimum_group`: a
    row is explained only if so many rows asked together get the same values of all hosts. `budget`: different ids that
    a caller may have explained in `window_s` seconds (None: any).
    """

    step: float = 0.0
    minimum_group: int = 1
    budget: int | None = None
    window_s: float = 3600.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.step) and self.step >= 0 and self.minimum_group >= 1 and self.window_s > 0):
            raise InputError("a policy has a step of 0 or more, a group of 1 or more and a window above 0 s")
        if self.budget is not None and self.budget < 0:
            raise InputError("a budget is 0 or more ids")


def published(policy: Policy, explained: Attribution, hosts: Sequence[str]) -> tuple[Attribution, np.ndarray]:
    """What is shown, and which rows were withheld (b,): their values and margin are NaN. `hosts`: names of the players
    that are hosts, or a host's columns.

    With a step h, base and values are rounded to multiples of h and the margin is their sum, not the model's own: what
    is shown adds up, and the row's exact margin cannot be had from it.
    """
    values, base, margin = explained.values, explained.base_value, explained.prediction
    if policy.step:
        values = np.round(values / policy.step) * policy.step
        base = round(base / policy.step) * policy.step
        margin = base + values.sum(axis=1)
    withheld = np.zeros(len(values), bool)
    theirs = [i for i, name in enumerate(explained.features) if name in hosts]
    if policy.minimum_group > 1 and theirs and len(values):
        good = np.isfinite(values).all(axis=1)
        shown = np.nan_to_num(values[:, theirs]) + 0.0  # -0 is 0
        _, group, count = np.unique(shown[good], axis=0, return_inverse=True, return_counts=True)
        withheld[good] = count[group.ravel()] < policy.minimum_group
    values, margin = np.where(withheld[:, None], np.nan, values), np.where(withheld, np.nan, margin)
    reasons = tuple(
        f"withheld: fewer than {policy.minimum_group} rows have these values of hosts" if gone else text
        for gone, text in zip(withheld, explained.reasons, strict=True)
    )
    status = np.where(withheld, "invalid", explained.status)
    return replace(
        explained, values=values, base_value=float(base), prediction=margin, status=status, reasons=reasons
    ), withheld  # fmt: skip


def few_alike(
    guest: Party, answer: Answer, least: int, lacks: np.ndarray | None = None, shown: np.ndarray | None = None
) -> np.ndarray:  # fmt: skip
    """Rows (b,) that hosts answered as they did fewer than `least` rows asked together: the same bits at all their
    splits, or the same linear parts. Whatever is shown of a row is a function of that and of the guest's own columns.
    `lacks (b, hosts)`: rows that lack a host's bits are like those alone that lack the same. `shown (b,)`: rows of
    which something is shown (None: those that have an answer).
    """
    component, good = guest.pipeline.last[1], answer.code == OK if shown is None else shown
    if isinstance(component, BoostedTrees):
        assert answer.left is not None
        theirs = np.concatenate([component.structure.splits_of(host) for host in guest.hosts] or [np.zeros(0, int)])
        told: np.ndarray = answer.left[:, theirs].astype(np.uint8)
    else:
        held = [answer.sums[host] for host in guest.hosts if host in answer.sums]
        told = np.concatenate(held, axis=1) if held else np.zeros((len(answer), 0))
    if lacks is not None:
        told = np.concatenate([told, lacks.astype(told.dtype)], axis=1)
    few = np.zeros(len(answer), bool)
    if least > 1 and guest.hosts and good.any():
        _, group, count = np.unique(told[good], axis=0, return_inverse=True, return_counts=True)
        few[good] = count[group.ravel()] < least
    return few


def withheld(answer: Answer, gone: np.ndarray, why: str) -> Answer:
    """The answer without the margins and scores of the rows `gone (b,)`."""
    return replace(
        answer, code=np.where(gone, WITHHELD, answer.code),
        reasons=tuple(why if bad else text for bad, text in zip(gone, answer.reasons, strict=True)),
        margin=np.where(gone[:, None], np.nan, answer.margin), score=np.where(gone[:, None], np.nan, answer.score),
    )  # fmt: skip


@dataclass(eq=False)
class Ledger:
    """Who had which ids explained, and when, the oldest first; kept for as long as the process lives. A call costs what
    its own ids cost, however many a caller has had.
    """

    policy: Policy
    spent: dict[str, OrderedDict[str, float]] = field(default_factory=dict)

    def spend(self, caller: str, ids: Sequence[str], now_s: float) -> None:
        """Raises InputError, and books nothing, where the caller would have more different ids explained within the
        window than its budget allows. The same id again within the window costs nothing. Time does not go back.
        """
        if self.policy.budget is None:
            return
        held = self.spent.setdefault(caller, OrderedDict())
        while held and now_s - next(iter(held.values())) >= self.policy.window_s:
            held.popitem(last=False)
        new = [i for i in dict.fromkeys(ids) if i not in held]
        if len(held) + len(new) > self.policy.budget:
            raise InputError(
                f"caller '{caller}' may have {self.policy.budget} ids explained in {self.policy.window_s:g} s and has "
                f"had {len(held)}: ask for fewer, or later"
            )
        held.update(dict.fromkeys(new, now_s))
