"""Background rows of an adopted model: a table, a folder of pictures, a file of sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ascribe.bundle.preparation import prepared
from ascribe.bundle.tables import read_table
from ascribe.core.errors import InputError, SchemaError
from ascribe.core.features import Feature, numbered
from ascribe.core.layout import Layout
from ascribe.core.words import listed
from ascribe.train.units import describe

__all__ = ["Background", "ranged", "text_column"]

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff")
CATEGORIES = 1000  # of a column of texts; more are no categories


@dataclass(frozen=True, eq=False)
class Background:
    """A file or folder; read when it is known what the model's rows are."""

    path: Path
    table: pa.Table | None = None

    @classmethod
    def at(cls, path: Path) -> Background:
        """Raises InputError where there is nothing, or no table where a table's name is given."""
        if not path.exists():
            raise InputError(f"there is no file or folder {path}")
        if path.is_dir() or path.suffix.lower() in (*PICTURES, ".npz", ".txt"):
            return cls(path)
        return cls(path, _plain(read_table(path)))

    def columns(self) -> tuple[str, ...]:
        """Names of the table's columns. Raises InputError where the background is no table."""
        if self.table is None:
            raise InputError(f"{self.path} is no table, and the model's rows are: give a Parquet, CSV or Arrow file")
        return tuple(self.table.column_names)

    def holds_texts(self, name: str) -> bool:
        """Whether a column of that name is there and holds texts."""
        return self.table is not None and name in self.table.column_names and pa.types.is_string(self.table[name].type)

    def features(
        self, names: Sequence[str], units: Mapping[str, Any], own: Mapping[str, Sequence[str]], missing: bool
    ) -> tuple[Feature, ...]:
        """The columns as features; texts are categories, in the order of `own` where the model's file has one.

        Raises SchemaError where a column is not there.
        """
        have = self.columns()
        if absent := [name for name in names if name not in have]:
            raise SchemaError(f"{self.path} has no column {listed(absent)}; it has {listed(have)}")
        return tuple(self._feature(describe(name, units), own.get(name), missing) for name in names)

    def _feature(self, feature: Feature, own: Sequence[str] | None, missing: bool) -> Feature:
        assert self.table is not None
        column = self.table[feature.name]
        categories: tuple[str, ...] = tuple(str(word) for word in own or ())
        if not categories and self.holds_texts(feature.name):
            categories = tuple(sorted(str(word) for word in column.unique().to_pylist() if word is not None))
            if len(categories) > CATEGORIES:
                raise SchemaError(
                    f"column {feature.name} has {len(categories)} different texts: they are no categories"
                )
        if categories:
            return replace(feature, low=0.0, high=len(categories) - 1.0, missing=missing, categories=categories)
        return replace(feature, missing=missing)

    def rows(self, features: Sequence[Feature]) -> np.ndarray:
        """All rows (rows, n) of a table."""
        assert self.table is not None
        held = [numbered(f, np.asarray(self.table[f.name].to_numpy())) for f in features]
        return np.column_stack(held)

    def prepared(self, layout: Layout, told: Mapping[str, Any]) -> np.ndarray:
        """Pictures or sentences as rows (rows, n). Raises InputError."""
        if self.path.is_dir():
            files = sorted(p for p in self.path.iterdir() if p.suffix.lower() in PICTURES)
            if not files:
                raise InputError(f"{self.path} holds no pictures ({', '.join(PICTURES)})")
            return prepared(layout, told, files)
        if self.path.suffix.lower() in PICTURES:
            return prepared(layout, told, self.path)
        if self.path.suffix.lower() == ".npz":
            return layout.rows((), _only_array(self.path))
        if layout.kind == "text":
            return prepared(layout, told, self.sentences())
        raise InputError(f"{self.path}: give a folder of pictures, or an npz of rows {layout.shape}")

    def sentences(self) -> list[str]:
        """Lines of a text file, or the texts of a table's first column of texts. Raises InputError."""
        if self.table is None:
            held = [line.strip() for line in self.path.read_text("utf-8-sig").splitlines()]
        else:
            held = self.table[text_column(self.table, self.path)].to_pylist()
        held = [one for one in held if one]
        if not held:
            raise InputError(f"{self.path} holds no sentence: write one a line")
        return held


def text_column(table: pa.Table, path: Path) -> str:
    """The first column of texts. Raises InputError where there is none."""
    for name in table.column_names:
        if pa.types.is_string(table[name].type):
            return str(name)
    raise InputError(f"{path} has no column of texts")


def ranged(features: Sequence[Feature], X: np.ndarray) -> tuple[Feature, ...]:
    """Features with the range that rows (rows, n) cover; of categories, all of them."""
    out = []
    for feature, column in zip(features, X.T, strict=True):
        known = column[np.isfinite(column)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (-inf, inf)
        out.append(feature if feature.categories else replace(feature, seen_low=low, seen_high=high))
    return tuple(out)


def _plain(table: pa.Table) -> pa.Table:
    """Dictionaries and long or viewed strings as strings."""
    for j, field in enumerate(table.schema):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            kind = pa.string()
        if kind != field.type:
            table = table.set_column(j, field.name, table[field.name].cast(kind))
    return table


def _only_array(path: Path) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as held:
            if len(held.files) != 1:
                raise InputError(f"{path} holds {len(held.files)} arrays: give an npz of one")
            return np.asarray(held[held.files[0]])
    except (OSError, ValueError, EOFError) as exc:
        if isinstance(exc, InputError):
            raise
        raise InputError(f"{path} cannot be read as npz ({exc}): is it complete?") from exc
