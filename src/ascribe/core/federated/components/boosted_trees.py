"""HeteroSecureBoost, and trees split by `ascribe federated split`: the same code at every party."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ascribe.core.arrays import np
from ascribe.core.errors import InputError
from ascribe.core.federated.codes import WRONG_ANSWER
from ascribe.core.federated.leaves import Leaves, reached
from ascribe.core.federated.merged import Answer
from ascribe.core.federated.records import Part, Routes
from ascribe.core.federated.splits import Splits
from ascribe.core.federated.structure import Structure
from ascribe.core.federated.table import Context, Table
from ascribe.core.trees.walk import linked

__all__ = ["BoostedTrees"]


@dataclass(frozen=True, eq=False)
class BoostedTrees:
    """One party's half: the shape of all trees, its own `splits`; on the guest also the `leaves`.

    Raises InputError for halves that do not fit one another.
    """

    party: str
    structure: Structure
    splits: Splits
    leaves: Leaves | None = None

    def __post_init__(self) -> None:
        own = len(self.structure.splits_of(self.party))
        if len(self.splits) != own:
            raise InputError(f"{self.party} has {len(self.splits)} splits of its own, its trees {own}: read them again")
        if self.leaves is not None:
            self.leaves.fit(self.structure)

    @property
    def identity(self) -> str:
        """The same at all parties of one model."""
        return self.structure.digest

    @property
    def merges(self) -> bool:
        return self.leaves is not None

    @property
    def link(self) -> str:
        """From margins to scores; what a host's half does not know is empty."""
        return "" if self.leaves is None else self.leaves.link

    @property
    def labels(self) -> tuple[str, ...]:
        return () if self.leaves is None else self.leaves.labels

    @property
    def columns(self) -> tuple[str, ...]:
        return self.splits.columns

    @property
    def hosts(self) -> tuple[str, ...]:
        """The parties to ask, by name."""
        others = sorted(set(self.structure.parties) - {self.party})
        return tuple(p for p in others if len(self.structure.splits_of(p)))

    def width(self, party: str) -> int:
        """How many bits a party's reply has for each row."""
        return len(self.structure.splits_of(party))

    def local_inference(self, context: Context, rows: Table) -> Routes:
        """The way at every own split, on a row's path or not."""
        X = rows.matrix(self.splits.columns, context)
        context.data = X
        context.defaulted += self.splits.defaulted(X)
        context.wanted += len(self.splits)
        return Routes(self.splits.bits(X))

    def merge_remote_inference(self, context: Context, local: Part, remote: Mapping[str, Part]) -> Answer:
        """Leaves, margins and scores; a party's bits count at its own splits only. A row for which a party's answer is
        missing or lacks a split fails alone.
        """
        assert self.leaves is not None and isinstance(local, Routes)
        left = np.zeros((len(self.structure.owner), context.rows), bool)
        left[self.structure.splits_of(self.party)] = local.bits.T
        for host in self.hosts:
            part = remote.get(host)
            if not isinstance(part, Routes) or part.bits.shape != (context.rows, self.width(host)):
                context.fail(range(context.rows), WRONG_ANSWER, f"{host} has not answered for its splits")
                continue
            if part.known is not None:
                context.fail(np.flatnonzero(~part.known), WRONG_ANSWER, f"the answer of {host} lacks a split")
            left[self.structure.splits_of(host)] = part.bits.T
        leaf = reached(self.structure, left.T)
        margin = self.leaves.margin(leaf)
        margin[context.code != 0] = np.nan
        return Answer(
            "", context.code, tuple(context.reasons), margin, linked(self.leaves.link, margin), self.leaves.labels,
            self.columns, context.data, left.T, leaf,
        )  # fmt: skip
