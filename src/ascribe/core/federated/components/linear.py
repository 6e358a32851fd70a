"""HeteroLR: each party sums its own columns; the guest adds the parts and applies the sigmoid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ascribe.core.arrays import np
from ascribe.core.errors import InputError
from ascribe.core.federated.codes import BAD_FEATURE, WRONG_ANSWER
from ascribe.core.federated.merged import Answer
from ascribe.core.federated.records import Linear, Part
from ascribe.core.federated.table import Context, Table
from ascribe.core.trees.walk import linked

__all__ = ["LinearModel"]


@dataclass(frozen=True, eq=False)
class LinearModel:
    """s = sum over columns of weight * x + intercept, for each of m models: one, or one for each of `labels`.

    `weight (n, m)`, `intercept (m,)`; a missing column adds 0, unknown columns are ignored. `parties`: the guest and
    its hosts. Raises InputError for arrays that do not fit.
    """

    party: str
    parties: tuple[str, ...]
    columns: tuple[str, ...]
    weight: np.ndarray
    intercept: np.ndarray
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        weight, intercept = np.array(self.weight, dtype=float), np.array(self.intercept, dtype=float)
        if weight.ndim != 2 or weight.shape != (len(self.columns), len(intercept)):
            raise InputError(f"weights have shape {weight.shape}, not ({len(self.columns)}, {len(intercept)})")
        if len(self.labels) not in (0, len(intercept)) or (len(intercept) > 1 and not self.labels):
            raise InputError(f"{len(self.labels)} labels for {len(intercept)} models: read the model again")
        if not (np.isfinite(weight).all() and np.isfinite(intercept).all()):
            raise InputError("a weight is not finite: read the model again")
        if len(set(self.columns)) != len(self.columns) or self.party not in self.parties:
            raise InputError("a column is named twice, or the party is none of the model's: read the model again")
        weight.setflags(write=False)
        intercept.setflags(write=False)
        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "intercept", intercept)

    @property
    def identity(self) -> str:
        """The same at all parties of one model."""
        return f"linear {len(self.intercept)}"

    @property
    def link(self) -> str:
        return "logistic"

    @property
    def merges(self) -> bool:
        return self.party == self.parties[0]

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(p for p in self.parties if p != self.party)

    def width(self, party: str) -> int:
        """How many numbers a party's reply has for each row."""
        return len(self.intercept)

    def terms(self, X: np.ndarray) -> np.ndarray:
        """Parts by column (b, m, n); 0 where a column is absent."""
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite then fails its row
            return np.asarray(np.where(np.isnan(X), 0.0, X)[:, None, :] * self.weight.T[None])

    def local_inference(self, context: Context, rows: Table) -> Linear:
        """The party's own part, also by column (`answer` takes the columns out of what a host sends)."""
        X = rows.matrix(self.columns, context)
        context.data = X
        context.defaulted += np.isnan(X).sum(axis=1)
        context.wanted += len(self.columns)
        terms = self.terms(X)
        sums = terms.sum(axis=2) + self.intercept
        return Linear(sums, terms, self.columns)

    def merge_remote_inference(self, context: Context, local: Part, remote: Mapping[str, Part]) -> Answer:
        """All parts added. A row that one of several hosts lacks fails: it is never summed without that host."""
        assert isinstance(local, Linear)
        sums, terms, columns = {self.party: local.sums}, {}, {}
        endless = ~np.isfinite(local.sums).all(axis=1)
        context.fail(np.flatnonzero(endless), BAD_FEATURE, f"the linear part of {self.party} is not finite")
        if local.terms is not None:
            terms[self.party], columns[self.party] = local.terms, local.columns
        for host in self.hosts:
            part = remote.get(host)
            if not isinstance(part, Linear) or part.sums.shape != local.sums.shape:
                context.fail(range(context.rows), WRONG_ANSWER, f"{host} has not answered with its linear part")
                continue
            bad = ~np.isfinite(part.sums).all(axis=1)
            sums[host] = part.sums
            if part.terms is not None and part.terms.shape == (*part.sums.shape, len(part.columns)):
                bad |= ~np.isfinite(part.terms).all(axis=(1, 2))
                terms[host], columns[host] = part.terms, part.columns
            context.fail(np.flatnonzero(bad), WRONG_ANSWER, f"the linear part of {host} is not finite")
        margin = np.sum(list(sums.values()), axis=0)
        margin[context.code != 0] = np.nan
        return Answer(
            "", context.code, tuple(context.reasons), margin, linked(self.link, margin), self.labels, self.columns,
            context.data, sums=sums, terms=terms, term_columns=columns,
        )  # fmt: skip
