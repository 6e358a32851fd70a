"""Attributions cut into rows and put together again: a row's answer does not depend on its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution, based

__all__ = ["cut", "joined"]


def cut(a: Attribution, first: int, end: int) -> Attribution:
    """Rows first ... end - 1, as copies: nobody keeps a view of another's rows. Deviations are left out."""
    rows = slice(first, end)
    base_value, bases = (a.base_value, None) if a.bases is None else based(a.bases[rows].copy())
    return replace(
        a, values=a.values[rows].copy(), prediction=a.prediction[rows].copy(), stderr=a.stderr[rows].copy(),
        ess=a.ess[rows].copy(), status=a.status[rows].copy(), data=a.data[rows].copy(), reasons=a.reasons[rows],
        deviations=None, info=replace(a.info, gaps=_gaps(a, first, end)), base_value=base_value, bases=bases,
        segments=_rows(a.segments, rows), fit=_rows(a.fit, rows),
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

    def where_there(name: str) -> np.ndarray | None:
        return None if any(getattr(part, name) is None for part in parts) else column(name)

    answered = np.where(np.isfinite(column("prediction")), column("base"), np.nan)
    base_value, bases = based(answered) if np.isfinite(answered).any() else (parts[0].base_value, None)

    return replace(
        parts[0], values=column("values"), prediction=column("prediction"), stderr=column("stderr"),
        ess=column("ess"), status=column("status"), data=column("data"),
        reasons=tuple(reason for part in parts for reason in part.reasons), deviations=None, info=info,
        base_value=base_value, bases=bases, segments=where_there("segments"), fit=where_there("fit"),
    )  # fmt: skip


def _rows(column: np.ndarray | None, rows: slice) -> np.ndarray | None:
    return None if column is None else column[rows].copy()


def _gaps(a: Attribution, first: int, end: int) -> dict[str, float]:
    """The efficiency gap is of these rows alone; what an explainer says of itself stays."""
    values, f = a.values[first:end], a.prediction[first:end]
    gap = np.abs(values.sum(axis=1) + (a.base_value if a.bases is None else a.bases[first:end]) - f)
    found = gap[np.isfinite(gap)]
    gaps = {**a.info.gaps, "efficiency_gap": float(found.max()) if len(found) else 0.0}
    if a.fit is not None:
        gaps["local_misfit"] = float(1 - np.nanmin(a.fit[first:end])) if np.isfinite(a.fit[first:end]).any() else 0.0
    return gaps
