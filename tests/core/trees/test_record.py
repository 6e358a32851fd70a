"""Trees as arrays: what is refused, what is stored, which way rows go."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.errors import InputError
from ascribe.core.trees import Trees, margin, predict

from .worlds import random_rows, random_trees, value


def stump(**changes: object) -> Trees:
    held = {
        "features": ("a", "b"), "start": [0, 3], "feature": [1, -1, -1], "threshold": [0.5, 0, 0], "left": [1, -1, -1],
        "right": [2, -1, -1], "missing_left": [True, False, False], "value": [[0], [1.0], [2.0]],
        "cover": [5, 2, 3], "output": [0], "base": [10.0],
    }  # fmt: skip
    return Trees(**{k: np.array(v) if isinstance(v, list) else v for k, v in (held | changes).items()})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"left": [0, -1, -1]}, "a child comes after its parent"),
        ({"left": [3, -1, -1]}, "a child comes after its parent, in the same tree"),
        ({"left": [2, -1, -1]}, "every node but a root is the child of exactly one node"),
        ({"left": [-1, -1, -1]}, "a node has one child"),
        ({"feature": [2, -1, -1]}, "a split names a feature outside 0..1"),
        ({"threshold": [np.nan, 0, 0]}, "a threshold is not a number"),
        ({"value": [[0], [np.inf], [2]]}, "a leaf or the base is not finite"),
        ({"value": [[0], [1]]}, "value has shape"),
        ({"cover": [5, -2, 3]}, "a cover is negative"),
        ({"cover": [5, 2]}, r"cover has shape \(2,\), not \(3,\)"),
        ({"start": [0, 2]}, "start must rise from 0 to the number of nodes, 3"),
        ({"start": [0, 2, 3], "output": [0, 0]}, "in the same tree"),
        ({"output": [1]}, r"output must be a number in 0..0"),
        ({"base": [1.0, 2.0]}, r"base has shape \(2,\), not \(1,\)"),
        ({"comparison": ">"}, "comparison is one of <, <=, not '>'"),
        ({"link": "probit"}, "link is one of identity, logistic, softmax, exp"),
        ({"space": "odds"}, "space is one of margin, probability"),
        ({"category_start": [0, 1, 1, 1]}, "category_start must rise from 0"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_trees_are_refused(changes, text):
    with pytest.raises(InputError, match=f"^these arrays are no trees: .*{text}"):
        stump(**changes)


def test_arrays_through_a_file():
    trees = replace(random_trees(0), link="logistic", single=True)
    file = io.BytesIO()
    np.savez(file, **trees.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as held:
        again = Trees.of(held)
        assert set(held) == set(trees.to_arrays())
        with pytest.raises(InputError, match="trees lack cover: read the model again"):
            Trees.of({name: held[name] for name in held if name != "cover"})
    X = random_rows(0, 30)
    assert np.array_equal(predict(again, X), predict(trees, X))
    assert (again.link, again.single, again.features) == ("logistic", True, trees.features)


def test_the_arrays_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        stump().threshold[0] = 3


@pytest.mark.parametrize(("comparison", "wanted"), [("<", 2.0), ("<=", 1.0)])
def test_on_the_threshold(comparison, wanted):
    assert margin(stump(comparison=comparison), np.array([[0, 0.5]])).tolist() == [[10 + wanted]]


@pytest.mark.parametrize("comparison", ["<", "<="])
def test_single_precision_rounds_the_row_and_not_the_threshold(comparison):
    c = 0.1  # between two float32 numbers
    below, above = float(np.nextafter(np.float32(c), np.float32(-1))), float(np.float32(c))
    assert below < c < above
    trees = stump(threshold=[c, 0, 0], comparison=comparison, single=True)
    X = np.array([[0, below], [0, above], [0, c]])  # the last is rounded up to `above`
    assert margin(trees, X)[:, 0].tolist() == [11, 12, 12]
    assert margin(replace(trees, single=False), X)[:, 0].tolist() == [11, 12, 11 if comparison == "<=" else 12]


def test_missing_zero_and_infinite_values():
    X = np.array([[0, np.nan], [0, 0.0], [0, -0.0], [0, 1e-36], [0, np.inf], [0, -np.inf]])
    assert margin(stump(), X)[:, 0].tolist() == [11, 11, 11, 11, 12, 11]
    right = stump(missing_left=[False] * 3)
    assert margin(right, X)[:, 0].tolist() == [12, 11, 11, 11, 12, 11]
    zero = replace(right, zero_missing=np.array([True, False, False]))
    assert margin(zero, X)[:, 0].tolist() == [12, 12, 12, 12, 12, 11]


def test_categories():
    sets = {"category_start": [0, 3, 3, 3], "categories": [True, False, True], "missing_left": [False] * 3}
    X = np.array([[0, c] for c in (0, 1, 2, 2.7, 3, -1, -0.4, 1e300, -1e300, np.inf, np.nan)])
    assert margin(stump(**sets), X)[:, 0].tolist() == [11, 12, 11, 11, 12, 12, 12, 12, 12, 12, 12]
    other = stump(**sets, other_left=[True, False, False])
    assert margin(other, X)[:, 0].tolist() == [11, 12, 11, 11, 11, 11, 11, 11, 11, 11, 12]


@pytest.mark.parametrize("seed", [0, 1])
def test_predictions_equal_a_walk_node_by_node(seed):
    trees, X = random_trees(seed, t=4, depth=6), random_rows(seed, 60)
    wanted = [value(trees, x, tuple(range(5)), None) for x in X]
    assert margin(trees, X)[:, 0] == pytest.approx(wanted, abs=1e-12)


def test_one_output_of_several():
    """Trees that add to one output each, and leaves that hold them all, are told apart by output alike."""
    one = random_trees(3, t=4)
    X = random_rows(3, 20)
    each = replace(
        one, outputs=("no", "yes"), base=np.array([0.5, -0.5]), output=np.array([0, 1, 1, 0]), link="softmax"
    )
    both = replace(
        one, outputs=("no", "yes"), base=np.array([0.5, -0.5]), value=one.value * [[1.0, -2.0]], space="probability"
    )
    for trees in (each, both):
        whole = margin(trees, X)
        for k, name in enumerate(trees.outputs):
            alone = trees.of_output(name)
            assert alone.outputs == (name,)
            assert margin(alone, X)[:, 0] == pytest.approx(whole[:, k], abs=1e-12)
            assert margin(trees.of_output(k), X) == pytest.approx(margin(alone, X))
    assert len(each.of_output("yes")) == 2
    assert predict(each, X).sum(axis=1) == pytest.approx(np.ones(20))
    with pytest.raises(InputError, match="unknown output 'maybe': use one of no, yes"):
        each.of_output("maybe")
