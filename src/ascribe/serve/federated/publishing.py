"""What a guest shows its own callers: everything rounded alike, rows that are like others, so many ids a caller."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ascribe.core.attribution import Attribution
from ascribe.core.errors import InputError
from ascribe.core.federated.codes import OK
from ascribe.core.federated.explaining import score_of
from ascribe.core.federated.party import Party
from ascribe.core.federated.publishing import Ledger, Policy, few_alike, published, withheld
from ascribe.serve.access.callers import Caller
from ascribe.serve.faults import ForbiddenError
from ascribe.serve.federated.scored import Scored
from ascribe.serve.federated.settings import PartySettings

__all__ = ["Publishing"]


class Publishing:
    """As the settings say, whatever versions come. Raises InputError for settings that cannot be."""

    def __init__(self, parties: PartySettings) -> None:
        self._group = parties.minimum_group if parties.group_scores else 1
        self._policy = Policy(parties.step, parties.minimum_group, parties.explain_budget, parties.explain_window_s)
        self._ledger = Ledger(self._policy)

    def spend(self, caller: Caller, ids: Sequence[str]) -> None:
        """Before ids are explained. Raises ForbiddenError, and then books nothing."""
        try:
            self._ledger.spend(caller.name, ids, time.monotonic())
        except InputError as exc:
            raise ForbiddenError(str(exc)) from exc

    def shown(self, guest: Party, found: Scored, output: int) -> Scored:
        """Margins are multiples of the step, also where nothing is explained, and scores those of such margins; bounds
        are moved outwards. With values, the explained margin is their sum. With a group for scores, a row that hosts
        answered as they did too few others has neither values nor margin, score or bounds.
        """
        step, explained = self._policy.step, found.explained
        if explained is not None:
            players = explained.features[len(found.answer.columns) :]  # the guest's columns stand before them
            explained, _ = published(self._policy, explained, players)
        if self._group > 1:
            found, explained = _grouped(self._group, guest, found, explained)
        answer = found.answer
        if not step:
            return replace(found, explained=explained)
        margin = np.round(answer.margin / step) * step
        if explained is not None:
            told = np.isfinite(explained.prediction)
            margin[told, output] = explained.prediction[told]
        lower, upper = found.lower, found.upper
        if lower is not None and upper is not None:
            lower, upper = np.floor(lower / step) * step, np.ceil(upper / step) * step
        answer = replace(answer, margin=margin, score=score_of(guest, margin))
        return replace(found, answer=answer, explained=explained, lower=lower, upper=upper)


def _grouped(
    least: int, guest: Party, found: Scored, explained: Attribution | None
) -> tuple[Scored, Attribution | None]:
    answered, shown = found.answer.code == OK, found.answer.code == OK
    if found.lower is not None:
        shown = answered | np.isfinite(found.lower).any(axis=1)  # bounds are functions of what other hosts answered
    gone = few_alike(guest, found.answer, least, found.lacks, shown)
    if not gone.any():
        return found, explained
    why = f"withheld: hosts answered fewer than {least} of these rows alike"
    answer = withheld(found.answer, gone & answered, why)
    both = zip(gone & ~answered, answer.reasons, strict=True)
    answer = replace(answer, reasons=tuple(f"{text}; bounds {why}" if bad else text for bad, text in both))
    lower, upper = (None if end is None else np.where(gone[:, None], np.nan, end) for end in (found.lower, found.upper))
    if explained is not None:
        reasons = tuple(why if bad else text for bad, text in zip(gone, explained.reasons, strict=True))
        explained = replace(
            explained, values=np.where(gone[:, None], np.nan, explained.values), reasons=reasons,
            prediction=np.where(gone, np.nan, explained.prediction), status=np.where(gone, "invalid", explained.status),
        )  # fmt: skip
    return replace(found, answer=answer, lower=lower, upper=upper), explained
