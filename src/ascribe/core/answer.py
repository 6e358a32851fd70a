"""An attribution with all that a picture or a sentence needs to say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ascribe.core.arrays import Float, np
from ascribe.core.attention import Matrices
from ascribe.core.attribution import Attribution
from ascribe.core.days import by_player
from ascribe.core.features import Feature
from ascribe.core.layout import Layout
from ascribe.core.quantities import in_units

__all__ = ["LOOKS", "Answer", "additive", "answered", "by_players", "words_of"]

LOOKS = ("attention", "slope", "map", "occlusion")  # games of methods that share nothing out


@dataclass(frozen=True, eq=False)
class Answer:
    """`features`: name, unit and categories of the columns of a table. `labels (b,)`: what a reader calls the rows;
    empty: by number. `matrices`: attention weights of the rows, `maps (b, c, h, w)` those of layers by name, where the
    method looked at them.
    """

    attribution: Attribution
    features: tuple[Feature, ...] = ()
    labels: tuple[str, ...] = ()
    matrices: Matrices | None = None
    maps: Mapping[str, Float[np.ndarray, "b c h w"]] = field(default_factory=dict)

    @cached_property
    def layout(self) -> Layout:
        a = self.attribution
        return a.layout or Layout("table", (a.data.shape[1],))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of `data`; empty where nobody said."""
        a = self.attribution
        n = a.data.shape[1]
        if self.layout.kind != "table":
            return ()
        if len(a.columns) == n:
            return a.columns
        if len(self.features) == n:
            return tuple(f.name for f in self.features)
        return a.features if len(a.features) == n else ()

    @cached_property
    def told(self) -> dict[str, Feature]:
        return {f.name: f for f in self.features}

    def unit(self, name: str) -> str:
        """Of a column's values."""
        return self.told[name].unit if name in self.told else ""

    def label(self, row: int) -> str:
        return self.labels[row] if row < len(self.labels) else f"row {row}"

    def shown(self, row: int, name: str) -> str:
        """A player's own value with its unit, or the text that its number stands for; empty where it has none."""
        if name not in self.columns or name not in self.attribution.features:
            return ""
        value = float(self.attribution.data[row, self.columns.index(name)])
        texts = self.told[name].categories if name in self.told else ()
        if texts and value in range(len(texts)):
            return texts[int(value)]
        return "missing" if np.isnan(value) else in_units(value, self.unit(name))


def additive(a: Attribution) -> bool:
    """Whether values are shares that lead from a base value to the prediction: slopes, maps and attention are not.

    `Attribution.additive` asks whether a gap was measured; here an answer of elsewhere, without gaps, counts too.
    """
    looks = a.info.game in LOOKS or a.info.method.startswith("attention")
    return bool(np.isfinite(a.base_value)) and not looks


def answered(a: Attribution) -> np.ndarray:
    """Which rows `(b,)` hold numbers."""
    told = np.array([word not in ("invalid", "not_finite") for word in a.status], dtype=bool)
    return told & np.isfinite(a.values).all(axis=1) & np.isfinite(a.prediction)


def by_players(answer: Answer) -> Answer:
    """The answer of windows with a player for each day of each input, as of a table; any other as it is."""
    return answer if answer.layout.kind != "series" else Answer(by_player(answer.attribution), (), answer.labels)


def words_of(answer: Answer, row: int) -> tuple[list[str], Float[np.ndarray, " w"], Float[np.ndarray, " w"]]:
    """The words of a text with their values and standard errors: padding is left out, neighbours that were one player
    are one piece.

    Padding's own value, where it has one, is the last piece, so that sums are kept.
    """
    a, layout = answer.attribution, answer.layout
    numbers = a.data[row].astype(int)
    held = np.flatnonzero(numbers != layout.padding)
    end = int(held[-1]) + 1 if len(held) else 0
    parts: list[list[int]] = []
    for j in range(end):
        if parts and a.segments is not None and a.segments[row, parts[-1][-1]] == a.segments[row, j]:
            parts[-1].append(j)
        else:
            parts.append([j])
    words = [" ".join(_word(layout, int(numbers[j])) for j in part) for part in parts]
    if np.any(a.values[row, end:]):
        parts.append(list(range(end, len(numbers))))
        words.append("(padding)")
    values = np.array([a.values[row, part].sum() for part in parts])
    # one player's even parts err together, separate words as if on their own
    errors = [
        a.stderr[row, p].sum() if a.segments is not None and p[-1] < end else np.sqrt((a.stderr[row, p] ** 2).sum())
        for p in parts
    ]
    return words, values, np.array(errors)


def _word(layout: Layout, number: int) -> str:
    return layout.words[number] if 0 <= number < len(layout.words) else str(number)
