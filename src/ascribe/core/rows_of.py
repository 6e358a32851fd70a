"""Attributions cut into rows and put together again: a row's answer does not depend on its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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
    )  # fmt: skip


def joined(parts: Sequence[Attribution]) -> Attribution:
    """Parts of one request, in their order: the most coalitions and completions that any row took, every estimator that
    was used, the largest gap.
    """
    if len(parts) == 1:
        return parts[0]
    infos = [part.info for part in parts]
    info = replace(
        infos[0],
        estimator="+".join(sorted({name for i in infos for name in i.estimator.split("+")})),
        value="+".join(sorted({name for i in infos for name in i.value.split("+")})),
        budget=max(i.budget for i in infos),
        samples=max(i.samples for i in infos),
        gaps={name: max(i.gaps.get(name, 0.0) for i in infos) for name in infos[0].gaps},
    )

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    return replace(
        parts[0], values=column("values"), prediction=column("prediction"), stderr=column("stderr"),
        ess=column("ess"), status=column("status"), data=column("data"),
        reasons=tuple(reason for part in parts for reason in part.reasons), deviations=None, info=info,
    )  # fmt: skip


def _gaps(a: Attribution, first: int, end: int) -> dict[str, float]:
    """The efficiency gap is of these rows alone; what an explainer says of itself stays."""
    values, f = a.values[first:end], a.prediction[first:end]
    gap = np.abs(values.sum(axis=1) + a.base_value - f)
    found = gap[np.isfinite(gap)]
    return {**a.info.gaps, "efficiency_gap": float(found.max()) if len(found) else 0.0}
