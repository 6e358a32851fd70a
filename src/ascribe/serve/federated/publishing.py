"""What a guest shows its own callers: everything rounded alike, rows that are like others, so many ids a caller."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ascribe.core.errors import InputError
from ascribe.core.federated.explaining import score_of
from ascribe.core.federated.party import Party
from ascribe.core.federated.publishing import Ledger, Policy, published
from ascribe.serve.callers import Caller
from ascribe.serve.faults import ForbiddenError
from ascribe.serve.federated.scored import Scored
from ascribe.serve.federated.settings import PartySettings

__all__ = ["Publishing"]


class Publishing:
    """As the settings say; `hosts`: what they are called in answers. Raises InputError for settings that cannot be."""

    def __init__(self, guest: Party, hosts: Sequence[str], parties: PartySettings) -> None:
        self._guest, self._hosts = guest, hosts
        self._policy = Policy(parties.step, parties.minimum_group, parties.explain_budget, parties.explain_window_s)
        self._ledger = Ledger(self._policy)

    def spend(self, caller: Caller, ids: Sequence[str]) -> None:
        """Before ids are explained. Raises ForbiddenError, and then books nothing."""
        try:
            self._ledger.spend(caller.name, ids, time.monotonic())
        except InputError as exc:
            raise ForbiddenError(str(exc)) from exc

    def shown(self, found: Scored, output: int) -> Scored:
        """Margins are multiples of the step, also where nothing is explained, and scores those of such margins; bounds
        are moved outwards. With values, the explained margin is their sum.
        """
        step, explained, answer = self._policy.step, found.explained, found.answer
        if explained is not None:
            explained, _ = published(self._policy, explained, self._hosts)
        if not step:
            return replace(found, explained=explained)
        margin = np.round(answer.margin / step) * step
        if explained is not None:
            told = np.isfinite(explained.prediction)
            margin[told, output] = explained.prediction[told]
        lower, upper = found.lower, found.upper
        if lower is not None and upper is not None:
            lower, upper = np.floor(lower / step) * step, np.ceil(upper / step) * step
        answer = replace(answer, margin=margin, score=score_of(self._guest, margin))
        return replace(found, answer=answer, explained=explained, lower=lower, upper=upper)
