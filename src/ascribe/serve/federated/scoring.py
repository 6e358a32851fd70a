"""A file of the guest's rows, scored and explained: an exchange for each thousand of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ascribe.core.attribution import Attribution
from ascribe.core.errors import InputError
from ascribe.core.federated.codes import OK
from ascribe.core.federated.table import Table
from ascribe.serve.federated.features.file import read_rows
from ascribe.serve.federated.link import Unanswered
from ascribe.serve.federated.opening import NO_COVER, Guest, prepared
from ascribe.serve.federated.scored import Asked, Scored, Scorer
from ascribe.serve.federated.settings import PartySettings

__all__ = ["ROWS_AT_ONCE", "Report", "score_file"]

ROWS_AT_ONCE = 1000  # of a file, in one exchange; fewer where a host takes fewer


@dataclass(frozen=True)
class Report:
    """`columns` of the answer by name; `rows`, of which `answered`; `exchanges` with each host; `told`: of hosts that
    did not answer, each line once; `explained`: all rows' values, where asked."""

    columns: dict[str, object]
    rows: int
    answered: int
    exchanges: int
    told: tuple[str, ...]
    explained: Attribution | None = None


async def score_file(
    guest: Guest, features: Path, parties: PartySettings, explain: bool = False, policy: str = "fail",
    skip_local: bool = False, background: Path | None = None, output: str | None = None,
) -> Report:  # fmt: skip
    """Columns id, margin, score; with `explain` base_value, one for each column of the guest that the model has and one
    for each host; with policy bounds lower and upper (margins); `label` of several classes; `warnings`.

    Raises InputError for a file without ids, an unknown output, and where there is nothing to explain with.
    """
    ids, rows = read_rows(features, guest.party.inputs)
    scorer = Scorer(guest.party, guest.links, parties, None, NO_COVER)
    try:
        told: dict[str, None] = {}
        for link in guest.links:
            try:
                await link.bind(uuid.uuid4().hex, parties.timeout_s)
            except Unanswered as exc:
                told[exc.text] = None
        if explain:
            scorer.explainer = await prepared(guest, parties, background)
        k = _number(guest, output)
        found: list[Scored] = []
        most = min(scorer.max_rows, ROWS_AT_ONCE)
        for start in range(0, len(ids), most):
            part = ids[start : start + most]
            table = _cut(rows, start, len(part))
            asked = Asked(uuid.uuid4().hex, policy, explain, k, skip_local)
            found.append(await scorer.score(part, table, asked))
            told |= dict.fromkeys(f.text for f in found[-1].failures.values())
    finally:
        await scorer.close()
    if not found:
        raise InputError(f"{features} has no rows: give it some")
    columns = _columns(ids, found, k, explain, guest.party.inputs)
    good = sum(int((one.answer.code == OK).sum()) for one in found)
    exchanges = sum(bool(one.asked) for one in found)
    return Report(columns, len(ids), good, exchanges, tuple(told), _joined(found) if explain else None)


def _joined(found: Sequence[Scored]) -> Attribution:
    """The values of all parts of the file as one."""
    held = _explained(found)
    first = held[0]
    gap = max(a.info.gaps["efficiency_gap"] for a in held)
    return replace(
        first, values=np.concatenate([a.values for a in held]), data=np.concatenate([a.data for a in held]),
        prediction=np.concatenate([a.prediction for a in held]), stderr=np.concatenate([a.stderr for a in held]),
        ess=np.concatenate([a.ess for a in held]), status=np.concatenate([a.status for a in held]),
        reasons=tuple(why for a in held for why in a.reasons),
        info=replace(first.info, gaps={"efficiency_gap": gap}),
    )  # fmt: skip


def _explained(found: Sequence[Scored]) -> list[Attribution]:
    """Of each part, with the players and the base value of one that was answered: of a linear host by column, a part
    that it did not answer knows neither, and has no values anyway.
    """
    held = [one.explained for one in found if one.explained is not None]
    like = next((a for a in held if (a.status == "ok").any()), held[0])
    return [
        a if (a.status == "ok").any()
        else replace(like, values=(nothing := np.full((len(a.values), len(like.features)), np.nan)), stderr=nothing,
                     prediction=a.prediction, ess=a.ess, status=a.status, reasons=a.reasons, data=a.data)
        for a in held
    ]  # fmt: skip


def _number(guest: Guest, output: str | None) -> int:
    component = guest.party.pipeline.last[1]
    labels = getattr(getattr(component, "leaves", None) or component, "labels", ())
    if output is None:
        return 0
    if output not in labels:
        raise InputError(f"no output '{output}': this model has {', '.join(labels) or 'one alone'}")
    return int(labels.index(output))


def _cut(rows: Table, start: int, length: int) -> Table:
    held = {name: column[start : start + length] for name, column in rows.columns.items()}
    return replace(rows, length=length, columns=held)


def _columns(ids: list[str], found: list[Scored], k: int, explain: bool, inputs: Sequence[str]) -> dict[str, object]:
    out: dict[str, object] = {"id": ids}
    out["margin"] = np.concatenate([one.answer.margin[:, k] for one in found])
    out["score"] = np.concatenate([one.answer.score[:, k] for one in found])
    if found[0].answer.labels:
        out["label"] = [label for one in found for label in one.answer.label]
    if found[0].lower is not None:
        out["lower"] = np.concatenate([one.lower[:, k] for one in found if one.lower is not None])
        out["upper"] = np.concatenate([one.upper[:, k] for one in found if one.upper is not None])
    if explain:
        held = _explained(found)
        out["base_value"] = np.concatenate([np.where(np.isnan(e.prediction), np.nan, e.base_value) for e in held])
        values = {name: np.concatenate([e.values[:, j] for e in held]) for j, name in enumerate(held[0].features)}
        if set(found[0].answer.columns) <= set(inputs):  # a column that no split uses has a part of 0
            nothing = np.where(np.isnan(np.concatenate([e.prediction for e in held])), np.nan, 0.0)
            values = dict.fromkeys(inputs, nothing) | values
        if taken := [name for name in values if name in out or name == "warnings"]:
            raise InputError(f"column '{taken[0]}' of the guest is called as one of the answer: rename it")
        out |= values
    out["warnings"] = [_told(one, i) for one in found for i in range(len(one.answer))]
    return out


def _told(one: Scored, i: int) -> str:
    code = int(one.answer.code[i])
    return f"{one.answer.reasons[i]} ({code})" if code else one.warnings[i]
