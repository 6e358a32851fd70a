"""Features (name, unit, bounds, group) and the players made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import inf, isfinite

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.errors import InputError, SchemaError
from ascribe.core.words import listed

__all__ = [
    "Feature", "Players", "as_rows", "check_rows", "numbered", "out_of_bounds", "out_of_range", "players_of",
]  # fmt: skip


@dataclass(frozen=True)
class Feature:
    """One input of a model.

    `low`, `high`: what is physically possible (a percentage ends at 100); a value outside is an error of the row.
    `seen_low`, `seen_high`: what the training rows covered; a value outside is answered, with status `out_of_domain`.
    All in `unit`. `missing`: NaN is a value like others, as trees take it. `categories`: the texts that the numbers 0,
    1, ... stand for.
    """

    name: str
    unit: str = ""
    low: float = -inf
    high: float = inf
    group: str = ""
    seen_low: float = -inf
    seen_high: float = inf
    missing: bool = False
    categories: tuple[str, ...] = ()

    def __hash__(self) -> int:
        """Of the name alone: every call looks its features up, and a text remembers its hash."""
        return hash(self.name)

    @property
    def after(self) -> str:
        """The unit as it follows a number: ` W`; of a bare number (unit 1, or none) nothing."""
        return "" if self.unit in ("", "1") else f" {self.unit}"

    def to_json(self) -> dict[str, object]:
        """Plain values; an infinite bound is null, since JSON has no infinity. What only some features have is left
        out where they have it not: an older description keeps its bytes.
        """
        held = {k: None if isinstance(v, float) and not isfinite(v) else v for k, v in asdict(self).items()}
        return {k: v for k, v in held.items() if v or k not in ("missing", "categories")}

    @classmethod
    def from_json(cls, record: Mapping[str, object]) -> Feature:
        held = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items() if v is not None}
        return cls(**held)  # type: ignore[arg-type]


UNKNOWN = -1.0  # a text that is no category: below `low`, so that its row fails alone


def numbered(feature: Feature, column: np.ndarray) -> Float[np.ndarray, " b"]:
    """A column (b,) as numbers: texts by their place in `categories`, absent values NaN, an unknown text -1.

    Raises SchemaError for texts where the feature has no categories.

    >>> numbered(Feature("sex", categories=("f", "m")), np.array(["m", "f", "x", None], object)).tolist()
    [1.0, 0.0, -1.0, nan]
    """
    if column.dtype.kind in "fiub":
        return column.astype(float)
    place = {text: float(k) for k, text in enumerate(feature.categories)}
    out = np.full(len(column), np.nan)
    for i, held in enumerate(column.tolist()):
        if isinstance(held, str):
            if not place:
                raise SchemaError(f"column {feature.name} holds no numbers ('{held[:40]}'): convert it first")
            out[i] = place.get(held, UNKNOWN)
        elif held is not None:
            out[i] = _plain(feature.name, held)
    return out


def _plain(name: str, held: object) -> float:
    try:
        return float(held)  # type: ignore[arg-type]
    except (TypeError, ValueError) as exc:
        raise SchemaError(f"column {name} holds no numbers: convert it first") from exc


@lru_cache(maxsize=32)  # asked for every call
def _ends(features: tuple[Feature, ...]) -> Float[np.ndarray, "4 n"]:
    """low, high, seen_low, seen_high."""
    return np.array([(f.low, f.high, f.seen_low, f.seen_high) for f in features]).reshape(-1, 4).T


@lru_cache(maxsize=32)
def _missing(features: tuple[Feature, ...]) -> Bool[np.ndarray, " n"]:
    return np.array([f.missing for f in features], dtype=bool)


def out_of_bounds(features: Sequence[Feature], X: Float[np.ndarray, "b n"]) -> Bool[np.ndarray, "b n"]:
    """Where a value is not a number or is physically impossible."""
    low, high = _ends(tuple(features))[:2]
    return ~(np.isfinite(X) | (np.isnan(X) & _missing(tuple(features)))) | (low > X) | (high < X)


def out_of_range(features: Sequence[Feature], X: Float[np.ndarray, "b n"]) -> Bool[np.ndarray, "b n"]:
    """Where a value lies outside what the training rows covered."""
    low, high = _ends(tuple(features))[2:]
    return (low > X) | (high < X)


def as_rows(features: Sequence[Feature], X: object) -> Float[np.ndarray, "b n"]:
    """X as numbers, a row each. Raises InputError for another shape, naming the features in order."""
    rows, n = np.asarray(X, dtype=float), len(features)
    if rows.ndim != 2 or rows.shape[1] != n:
        names = listed([f.name for f in features])
        raise InputError(f"rows must be (rows, {n}) in the order {names}; got shape {rows.shape}")
    return rows


def check_rows(features: Sequence[Feature], X: Float[np.ndarray, "b n"]) -> tuple[np.ndarray, list[str]]:
    """Status (ok, out_of_domain, invalid) and reason of each row before any model sees it."""
    status, reasons = np.full(len(X), "ok", dtype="<U13"), [""] * len(X)
    for word, bad, text in (
        ("out_of_domain", out_of_range(features, X), "outside the training range {f.seen_low:g}..{f.seen_high:g}"),
        ("invalid", out_of_bounds(features, X), "must be a number in {f.low:g}..{f.high:g}"),
    ):
        for i in np.flatnonzero(bad.any(axis=1)):
            j = int(np.flatnonzero(bad[i])[0])
            f = features[j]
            more = int(bad[i].sum()) - 1
            status[i] = word
            reasons[i] = f"{f.name} = {X[i, j]:g}{f.after} {text.format(f=f)}" + f" (+{more} more)" * (more > 0)
    return status, reasons


@dataclass(frozen=True, eq=False)
class Players:
    """Who shares the prediction: single features, or groups of them that are present or absent together.

    The attribution of a group is that of the game on groups; it is not the sum of its members' own attributions.
    """

    names: tuple[str, ...]
    member: Bool[np.ndarray, "p n"]

    def features_of(self, S: Bool[np.ndarray, "m p"]) -> Bool[np.ndarray, "m n"]:
        """The features present in each coalition of players."""
        return (S.astype(np.int32) @ self.member.astype(np.int32)) > 0


def players_of(names: Sequence[str], groups: Mapping[str, Iterable[str]] | None = None) -> Players:
    """Players over `names`; features that no group names play alone, after the groups.

    Raises SchemaError for an unknown feature, InputError for a feature in two groups or a name used twice.

    >>> players_of(["a", "b", "c"], {"ab": ["a", "b"]}).names
    ('ab', 'c')
    """
    position = {name: j for j, name in enumerate(names)}
    seen: dict[str, str] = {}
    rows: list[tuple[str, list[int]]] = []
    for group, members in (groups or {}).items():
        chosen = [members] if isinstance(members, str) else list(members)
        for name in chosen:
            if name not in position:
                raise SchemaError(f"group '{group}' names '{name}', which is no feature: use {listed(list(names))}")
            if name in seen:
                raise InputError(f"feature '{name}' is in the groups '{seen[name]}' and '{group}': keep it in one")
            seen[name] = group
        if chosen:
            rows.append((group, [position[name] for name in chosen]))
    rows += [(name, [j]) for j, name in enumerate(names) if name not in seen]
    labels = [label for label, _ in rows]
    for label, times in Counter(labels).items():
        if times > 1 and label in (groups or {}):
            raise InputError(f"'{label}' is a group and a feature outside it: rename the group")
        if times > 1:
            raise InputError(f"feature '{label}' is named {times} times: rename its columns")
    member = np.zeros((len(rows), len(names)), dtype=bool)
    for i, (_, columns) in enumerate(rows):
        member[i, columns] = True
    return Players(tuple(labels), member)
