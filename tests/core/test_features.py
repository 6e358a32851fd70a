"""Features, their bounds, the players made of them, and what a model offers."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
import re
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

import ascribe.core
from ascribe.core import errors
from ascribe.core.errors import AscribeError, InputError, SchemaError
from ascribe.core.features import Feature, out_of_bounds, out_of_range, players_of
from ascribe.core.model import Model

NAMES = ["a", "b", "c", "d"]


def test_features_survive_json():
    for feature in (Feature("load", "%", 0.0, 100.0, "cpu", 3.5, 97.0), Feature("x"), Feature("y", low=0.0)):
        text = json.dumps(feature.to_json(), allow_nan=False)
        assert Feature.from_json(json.loads(text)) == feature


def test_bounds_and_range():
    features = (Feature("a", low=0.0, high=1.0, seen_low=0.2, seen_high=0.8), Feature("b"))
    X = np.array([[0, 1e300], [1, -1e300], [-0.1, 0], [1.1, 0], [np.nan, 0], [0.5, np.inf], [0.2, 0], [0.8, 0]])
    assert out_of_bounds(features, X).tolist() == [
        [False, False], [False, False], [True, False], [True, False], [True, False], [False, True],
        [False, False], [False, False],
    ]  # fmt: skip
    assert out_of_range(features, X)[:, 0].tolist() == [True, True, True, True, False, False, False, False]


def test_players():
    alone = players_of(NAMES)
    assert alone.names == tuple(NAMES)
    assert (alone.member == np.eye(4, dtype=bool)).all()
    grouped = players_of(NAMES, {"late": ("d", "b"), "none": (), "one": "c"})
    assert grouped.names == ("late", "one", "a")
    assert grouped.member.astype(int).tolist() == [[0, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]]
    assert (grouped.member.sum(axis=0) == 1).all()
    S = np.array([[True, False, False], [False, True, True], [False] * 3])
    assert grouped.features_of(S).astype(int).tolist() == [[0, 1, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("groups", "error", "text"),
    [
        ({"g": ("a", "z")}, SchemaError, "group 'g' names 'z', which is no feature: use a, b, c, d"),
        ({"g": ("a",), "h": ("b", "a")}, InputError, "feature 'a' is in the groups 'g' and 'h': keep it in one"),
        ({"b": ("a", "c")}, InputError, "'b' is a group and a feature outside it: rename the group"),
    ],
)
def test_groups_that_cannot_be(groups, error, text):
    with pytest.raises(error, match=text):
        players_of(NAMES, groups)
    with pytest.raises(InputError, match="feature 'a' is named 2 times: rename its columns"):
        players_of(["a", "a", "b"])


def test_a_model_offers_what_it_has():
    bare = Model((Feature("a"), Feature("b")))
    assert bare.offers == frozenset()
    assert bare.names == ("a", "b")
    some = Model(bare.features, predict=lambda X: X[:, 0], background=np.zeros((2, 2)), base_value=1.0, unit="W")
    assert some.offers == {"predict", "background"}
    with pytest.raises(FrozenInstanceError):
        some.predict = None


def test_the_tree_of_errors_is_the_one_drawn():
    drawn = errors.__doc__
    kinds = {name: kind for name in errors.__all__ if isinstance(kind := getattr(errors, name), type)}
    assert len(kinds) > 5
    for name, kind in kinds.items():
        assert issubclass(kind, AscribeError)
        assert re.search(rf"\s{name}\s", drawn)
        assert kind.__doc__
    assert issubclass(InputError, ValueError)
    assert issubclass(errors.MissingExtra, ImportError)


def test_examples_in_the_docstrings_print_what_they_say():
    ran = 0
    for found in pkgutil.walk_packages(ascribe.core.__path__, "ascribe.core."):
        result = doctest.testmod(importlib.import_module(found.name))
        assert result.failed == 0, found.name
        ran += result.attempted
    assert ran >= 6
