"""Attributions cut into rows and put together again: a row's answer does not depend on its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution

__all__ = ["cut", "joined"]


def cut(a: Attribution, first: int, end: int) -> Attribution:
    """Rows first ... end - 1, as copies: nobody keeps a view of another's rows. Deviations are left out."""
    rows = slice(first, end)
    return replace(
        a, values=a.values[rows].copy(), prediction=a.prediction[rows].copy(), stderr=a.stderr[rows].copy(),
        ess=a.ess[rows].copy(), status=a.status[rows].copy(), data=a.data[rows].copy(), reasons=a.reasons[rows],
        deviations=None, info=replace(a.info, gaps=_gaps(a, first, end)),
        segments=None if a.segments is None else a.segments[rows].copy(),
        fit=None if a.fit is None else a.fit[rows].copy(),
        **_bases(None if a.base_values is None else a.base_values[rows].copy()),
    )  # fmt: skip


def joined(parts: Sequence[Attribution]) -> Attribution:
    """Parts of one request, in their order: the most coalitions and completions that any row took, every estimator that
    was used, the largest gap.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    infos = [part.info for part in parts]
    info = replace(
        first.info,
        estimator="+".join(sorted({name for i in infos for name in i.estimator.split("+")})),
        value="+".join(sorted({name for i in infos for name in i.value.split("+")})),
        budget=max(i.budget for i in infos),
        samples=max(i.samples for i in infos),
        gaps={name: max(i.gaps.get(name, 0.0) for i in infos) for name in first.info.gaps},
    )

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    bases = column("bases")
    own = any(part.base_values is not None for part in parts) or len({part.base_value for part in parts}) > 1
    return replace(
        first, values=column("values"), prediction=column("prediction"), stderr=column("stderr"),
        ess=column("ess"), status=column("status"), data=column("data"),
        reasons=tuple(reason for part in parts for reason in part.reasons), deviations=None, info=info,
        segments=None if first.segments is None else column("segments"),
        fit=None if any(part.fit is None for part in parts) else column("fit"),
        **_bases(bases if own and np.isfinite(bases).any() else None),
    )  # fmt: skip


def _gaps(a: Attribution, first: int, end: int) -> dict[str, float]:
    """The gap of the sum is of these rows alone; what an explainer says of itself stays."""
    values, f = a.values[first:end], a.prediction[first:end]
    gap = np.abs(values.sum(axis=1) + a.bases[first:end] - f)
    found = gap[np.isfinite(gap)]
    own = {name for name in ("efficiency_gap", "completeness_gap") if name in a.info.gaps}
    gaps = {**a.info.gaps, **dict.fromkeys(own, float(found.max()) if len(found) else 0.0)}
    if a.fit is not None and np.isfinite(a.fit[first:end]).any():
        gaps["local_misfit"] = float(1 - np.nanmin(a.fit[first:end]))
    return gaps


def _bases(base_values: np.ndarray | None) -> dict[str, Any]:
    """Base values of rows, and their mean over those that were answered."""
    if base_values is None:
        return {}
    held = base_values[np.isfinite(base_values)]
    return {"base_values": base_values, "base_value": float(held.mean()) if len(held) else float("nan")}
