"""The gate of a party's half: by structure, by a test of itself, and on held-out rows whose host replies it keeps.

A half cannot be asked alone, and the gate asks nobody. What it can know:

structure    it opens; party, hosts, columns, outputs and unit are production's; the guest can be explained if
             production can
self-test    made-up rows and replies: finite margins, values that add up, one row as in a batch
rows         of a guest that keeps replies: better than always answering the mean; on rows that production keeps too,
             by id: no worse than it, and attributions that did not move far where predictions did not

Without replies the verdict says that nobody knows how good the model is.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.bundle.federated.half import FAMILY, open_party
from ascribe.bundle.federated.replies import Replies, merged, read_replies
from ascribe.bundle.gate.compare import Measured, Said, against, alone
from ascribe.bundle.gate.stability import Stability, moved, told
from ascribe.core.errors import InputError
from ascribe.core.federated.components.boosted_trees import BoostedTrees
from ascribe.core.federated.explaining import Explainer
from ascribe.core.federated.merged import Answer
from ascribe.core.federated.party import Party, answer, ask, local, merge
from ascribe.core.federated.records import Linear, Part, Reply, Routes
from ascribe.core.federated.table import Table
from ascribe.core.judge import class_error, power_error
from ascribe.core.model import Model
from ascribe.core.trees.shape import UNITS
from ascribe.core.words import listed

__all__ = ["judged"]

ROWS, SEED = 64, 0
GAP = 1e-9  # of the largest margin, that values may be from adding up
LEAST_SHARED = 8  # rows that both keep, below which nothing is compared


def judged(candidate: Bundle, production: Bundle | None, said: Said) -> dict[str, Any]:
    """Reasons for and against, and the numbers. Raises BundleError for a half that does not open."""
    mine = open_party(candidate)
    theirs = None
    if production is not None and production.manifest.family != FAMILY:
        said.say(False, "production is a model of one party, and this is a half of several: promote it under its name")
    elif production is not None:
        theirs = open_party(production)
        if changed := _changes(mine, theirs):
            said.say(False, f"it differs from production's half: {changed}")
            theirs = None
    if mine.role == "host":
        _host(mine, said)
        return {"rows": 0, "digest": mine.digest}
    asked = listed(list(mine.hosts)) or "nobody"
    said.say(True, f"asks {asked}, who must hold the half with the digest {mine.digest[:12]}")
    explainer = _explainer(mine)
    said.say(explainer is not None or theirs is None or _explainer(theirs) is None, _explained(mine, explainer))
    _self_test(mine, explainer, said)
    held = read_replies(candidate, mine)
    numbers: dict[str, Any] = {"rows": 0, "digest": mine.digest}
    if held is None:
        said.say(True, "no replies of hosts are kept with it: judged by structure and self-test, so nobody knows how "
                 "good it is")  # fmt: skip
        return numbers
    return numbers | _on_rows(mine, theirs, held, production, explainer, said)


def _changes(mine: Party, theirs: Party) -> str:
    """In words, or "" where one can stand for the other."""
    parts = []
    if mine.name != theirs.name:
        return f"it is of {mine.name}, not of {theirs.name}"
    for what, ours, others in (("columns", mine.inputs, theirs.inputs), ("hosts", mine.hosts, theirs.hosts)):
        if new := [name for name in ours if name not in others]:
            parts.append(f"new {what} {listed(new)}")
        if gone := [name for name in others if name not in ours]:
            parts.append(f"without the {what} {listed(gone)}")
    if mine.role == "guest" and _outputs(mine) != _outputs(theirs):
        parts.append(f"it answers {_outputs(mine)}, not {_outputs(theirs)}")
    return "; ".join(parts)


def _outputs(guest: Party) -> str:
    component = guest.pipeline.last[1]
    return f"{component.link} of {listed(component.labels) or 'one output'}"


def _explainer(guest: Party) -> Explainer | None:
    """None where the model has no cover."""
    held = Explainer(guest)
    try:
        if isinstance(guest.pipeline.last[1], BoostedTrees):
            held.values  # noqa: B018 (made once, here)
    except InputError:
        return None
    return held


def _explained(guest: Party, explainer: Explainer | None) -> str:
    if explainer is None:
        return "it has no cover, so it is explained only where background rows are named"
    players = [*guest.pipeline.last[1].columns, *guest.hosts]
    return f"values of {len(players)} players can be had without asking anybody"


def _made_up(guest: Party) -> tuple[Table, dict[str, Reply]]:
    """Rows and replies that nobody gave: numbers around 0 and whole ones, some absent; bits and parts at random."""
    rng = np.random.default_rng(SEED)
    X = rng.normal(scale=3.0, size=(ROWS, len(guest.inputs)))
    X[::2] = np.round(np.abs(X[::2]))
    X[rng.random(X.shape) < 0.1] = np.nan
    name, component = guest.pipeline.last
    replies = {}
    for host in guest.hosts:
        width = component.width(host)
        part: Part = (
            Routes(rng.random((ROWS, width)) < 0.5)
            if isinstance(component, BoostedTrees)
            else Linear(rng.normal(size=(ROWS, width)))
        )
        replies[host] = Reply(host, guest.digest, np.zeros(ROWS, np.uint8), {name: part})
    return Table.of_matrix(guest.inputs, X), replies


def _self_test(guest: Party, explainer: Explainer | None, said: Said) -> None:
    rows, replies = _made_up(guest)
    whole = merge(guest, local(guest, rows), replies)
    good = whole.code == 0
    margin = whole.margin[good]
    finite = bool(good.any() and np.isfinite(margin).all())
    said.say(finite, f"{int(good.sum())} of {ROWS} made-up rows are answered with finite margins")
    same = True
    for i in range(8):
        cut = {
            h: Reply(h, r.digest, r.code[[i]], {n: _row(p, i) for n, p in r.parts.items()}) for h, r in replies.items()
        }
        one = merge(guest, local(guest, Table(1, {c: held[[i]] for c, held in rows.columns.items()})), cut)
        same = same and np.array_equal(one.margin[0], whole.margin[i], equal_nan=True)
    said.say(
        same, "a row alone is answered as in a batch, bit for bit" if same else "a row alone is answered otherwise"
    )
    if explainer is not None and finite:
        gap = max(explainer(whole, k).info.gaps["efficiency_gap"] for k in range(margin.shape[1]))
        limit = GAP * max(1.0, float(np.abs(margin).max()))
        said.say(gap <= limit, f"values of made-up rows add up to their margins within {gap:.1g}")


def _row(part: Part, i: int) -> Part:
    return Routes(part.bits[[i]]) if isinstance(part, Routes) else Linear(part.sums[[i]])


def _host(host: Party, said: Said) -> None:
    """A host's half has no weight, and nobody here knows what its bits are for."""
    rng = np.random.default_rng(SEED)
    X = np.round(rng.normal(scale=3.0, size=(ROWS, len(host.inputs))))
    reply = answer(host, ask(host, range(ROWS)), Table.of_matrix(host.inputs, X))
    name, component = host.pipeline.last
    part, wanted = reply.parts[name], (ROWS, component.width(host.name))
    held = part.bits if isinstance(part, Routes) else part.sums
    said.say(held.shape == wanted, f"answers {wanted[1]} {'bits' if isinstance(part, Routes) else 'numbers'} a row")
    said.say(not component.merges, f"{host.name}'s half has the digest {host.digest[:12]} and no weights of the guest")
    said.say(
        True, "a host's half scores nothing: judged by structure and self-test; its guest's half is judged on rows"
    )


def _on_rows(
    guest: Party, theirs: Party | None, held: Replies, production: Bundle | None, explainer: Explainer | None,
    said: Said,
) -> dict[str, Any]:  # fmt: skip
    whole = merged(guest, held)
    good = whole.code == 0
    said.say(bool(good.any()), f"{int(good.sum())} of {len(held)} held-out rows with kept replies are answered")
    numbers: dict[str, Any] = {"rows": int(good.sum())}
    if not good.any():
        return numbers
    unit = UNITS.get(guest.pipeline.last[1].link, "")
    if held.y is not None and len(np.unique(held.y[good])) > 1:
        measured = _measured(guest, whole, held.y, good)
        alone(Model((), unit=unit), measured, held.y[good], said)
        numbers["candidate"] = measured.numbers()
    else:
        said.say(True, "no truth is kept beside the replies: how good the scores are is not known")
    if explainer is not None:
        told_ = explainer(whole)
        gap, limit = told_.info.gaps["efficiency_gap"], GAP * max(1.0, float(np.abs(whole.margin[good]).max()))
        said.say(gap <= limit, f"values of held-out rows add up to their margins within {gap:.1g}")
        numbers["efficiency_gap"] = gap
    other = None if theirs is None or production is None else read_replies(production, theirs)
    if theirs is not None and other is None:
        said.say(True, "production keeps no replies: it is not compared on rows")
    if theirs is not None and other is not None:
        numbers |= _compared(guest, theirs, held, other, whole, explainer, unit, said)
    return numbers


def _compared(
    guest: Party, theirs: Party, held: Replies, other: Replies, whole: Answer, explainer: Explainer | None, unit: str,
    said: Said,
) -> dict[str, Any]:  # fmt: skip
    """On rows that both keep, found by id: each model with its own hosts' replies."""
    before, place = merged(theirs, other), {name: i for i, name in enumerate(other.ids)}
    pairs = [(i, place[name]) for i, name in enumerate(held.ids) if name in place]
    pairs = [(i, j) for i, j in pairs if whole.code[i] == 0 and before.code[j] == 0]
    if len(pairs) < LEAST_SHARED:
        said.say(True, f"production keeps {len(pairs)} of these rows: too few to compare on")
        return {"shared": len(pairs)}
    mine, its = (np.array(at) for at in zip(*pairs, strict=True))
    numbers: dict[str, Any] = {"shared": len(pairs)}
    if held.y is not None and other.y is not None and len(np.unique(held.y[mine])) > 1:
        first, second = _measured(guest, whole, held.y, mine), _measured(theirs, before, held.y, its, mine)
        numbers["on shared rows"] = against(first, second, "shared", unit, said)
    a, b = whole.margin[mine, 0], before.margin[its, 0]
    agreed = float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) > 0 and np.ptp(b) > 0 else 1.0
    apart = float(np.abs(whole.score[mine] - before.score[its]).mean())
    numbers |= {"margin_correlation": agreed, "score_difference": apart}
    said.say(True, f"scores are {apart:.2g} from production's on {len(pairs)} rows, margins correlate by {agreed:.3f}")
    again = _explainer(theirs)
    if explainer is not None and again is not None:
        phi, psi = explainer(whole), again(before)
        if phi.features == psi.features:
            found = Stability(0.0, *moved(phi, psi, mine, its))
            numbers["stability"] = asdict(found)
            told(found, said)
    return numbers


def _measured(
    guest: Party, held: Answer, y: np.ndarray, at: np.ndarray, of: np.ndarray | None = None
) -> Measured:  # fmt: skip
    """Rows `at` of an answer against the truth of rows `of` (the same where not given)."""
    y, score = y[at if of is None else of], held.score[at]
    if guest.pipeline.last[1].link in ("identity", "exp"):
        return Measured(power_error(y, score[:, 0]), np.abs(y - score[:, 0]), None, None, np.abs(y - y.mean()))
    scores = np.column_stack([1 - score[:, 0], score[:, 0]]) if score.shape[1] == 1 else score
    true, rows = y.astype(int), np.arange(len(y))
    shares = np.bincount(true, minlength=scores.shape[1]) / len(y)
    return Measured(class_error(y, scores, True), 1 - scores[rows, true], None, None, 1 - shares[true])
