"""Rows that a bundle is judged by."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather

from ascribe.core.features import Feature
from ascribe.train.adapters.adopted import Asked
from ascribe.train.adapters.background import Background
from ascribe.train.adopted.rows import held_rows, labelled_rows


def test_rows_of_no_class_are_left_out_and_told():
    """A class that the labels spell otherwise would be missed without a word, and the rest judged as if it were all."""
    table = pa.table({"a": [1.0, 2.0, 3.0, 4.0], "kind": ["cat", "Dog", None, "cat"]})
    asked = Asked(Background(Path("rows.parquet"), table), "kind")
    X = np.arange(4.0)[:, None]
    held, why = labelled_rows(asked, X, np.ones(4, bool), ("cat", "dog"))
    assert held is not None
    assert held[0].ravel().tolist() == [0.0, 3.0]
    assert why == "rows whose kind is none of the classes are not held out: Dog"
    held, why = labelled_rows(asked, X, np.ones(4, bool), ("cat", "Dog"))
    assert held is not None
    assert held[1].tolist() == [0.0, 1.0, 0.0]
    assert not why


def test_a_feature_called_row_is_held_out_as_it_is():
    """A position in its place would be judged as if it were the feature."""
    X, y = np.array([[5.0, 1.0], [7.0, 2.0]]), np.array([0.0, 1.0])
    raw = held_rows([Feature("row"), Feature("b")], (X, y), "kind")
    held = pyarrow.feather.read_table(io.BytesIO(raw)).to_pydict()
    assert held == {"row": [5.0, 7.0], "b": [1.0, 2.0], "kind": [0.0, 1.0]}
