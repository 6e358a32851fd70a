"""Columns that differ only in case are one to a Delta table, which refuses the second: here its rows are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from ascribe.train.vectors import RESERVED, Vectors

__all__ = ["Spelling"]


class Spelling:
    """How each column is spelled: as in the lake (`columns` says how), or as it was met first."""

    def __init__(self, columns: Callable[[], Iterable[str]]) -> None:
        self._columns = columns
        self._held = {name: name for name in RESERVED}

    def fitting(self, v: Vectors, good: np.ndarray, reasons: list[str]) -> tuple[Vectors, np.ndarray]:
        """`v` without the columns that are spelled otherwise, and which rows are still good: those without a number in
        any of them. The others get a reason.
        """
        if any(name.lower() not in self._held for name in v.names):
            self._learn(self._columns())
            self._learn(v.names)
        other = [j for j, name in enumerate(v.names) if self._held[name.lower()] != name]
        if not other:
            return v, good
        good = good.copy()
        for j in other:
            name = v.names[j]
            said = f"a feature differs only in case from a column of the lake ({name}, {self._held[name.lower()]})"
            for i in np.flatnonzero(~np.isnan(v.X[:, j])):
                good[i] = False
                reasons[i] = reasons[i] or said
        kept = [j for j in range(len(v.names)) if j not in other]
        return replace(v, names=tuple(v.names[j] for j in kept), X=v.X[:, kept]), good

    def _learn(self, names: Iterable[str]) -> None:
        for name in names:
            self._held.setdefault(name.lower(), name)
