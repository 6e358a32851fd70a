"""What tree libraries have in common once their trees are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ascribe.core.errors import InputError
from ascribe.core.features import Feature
from ascribe.core.layout import Layout
from ascribe.core.trees import Trees
from ascribe.core.words import listed
from ascribe.train.adapters.adopted import Adopted, Asked, named_labels
from ascribe.train.adapters.trees_graph import binary, trees_graph

__all__ = ["columns_of", "of_trees"]

Ask = Callable[[np.ndarray], Mapping[str, np.ndarray]]


def of_trees(
    kind: str, trees: Trees, ask: Ask, names: Sequence[str] | None, categories: Mapping[str, Sequence[str]],
    asked: Asked, warnings: tuple[str, ...] = (), labels: tuple[str, ...] = (),
) -> Adopted:  # fmt: skip
    """`ask`: rows -> `margin` and `prediction` as the library gives them. `names`: of the file's features, or None;
    `labels`: of its classes. Raises InputError where several targets are predicted and none is chosen.
    """
    held = tuple(names) if names else columns_of(asked, len(trees.features))
    warnings += _codes(categories, asked)
    trees = replace(trees, features=held)
    features = tuple(Feature(name, missing=True, categories=tuple(categories.get(name, ()))) for name in held)
    layout = Layout("table", (len(held),))
    if trees.link in ("logistic", "softmax") or trees.space == "probability":
        spaces = ("margin", "probability") if trees.space == "margin" else ("probability",)
        named = named_labels(asked, max(2, len(trees.outputs)), labels)
        classes = _classes(ask, trees, spaces)
        return Adopted(kind, layout, classes, features, named, spaces, trees_graph(trees, spaces), binary(trees, named),
                       warnings=warnings)  # fmt: skip
    if len(trees.outputs) > 1:
        trees, ask = _chosen(trees, ask, asked.output)

    def one(X: np.ndarray) -> dict[str, np.ndarray]:
        return {"prediction": np.asarray(ask(X)["prediction"]).reshape(len(X))}

    return Adopted(kind, layout, one, features, graph=trees_graph(trees, ()), trees=trees, warnings=warnings)


def _codes(categories: Mapping[str, Sequence[str]], asked: Asked) -> tuple[str, ...]:
    """What to say of columns of numbers whose categories are numbers too: rows give places, or categories as texts.

    Raises InputError where the column holds other numbers than places: they would be taken for the wrong categories.
    """
    table = asked.background.table
    warnings: list[str] = []
    for name, words in categories.items():
        places = [str(k) for k in range(len(words))]
        if table is None or name not in table.column_names or not words or list(words) == places:
            continue
        if not all(_number(word) for word in words) or asked.background.holds_texts(name):
            continue
        told = f"column {name} holds numbers, and the categories of the file are {listed(words)}"
        column = np.asarray(table[name].to_numpy(), dtype=float)
        if not np.isin(column[np.isfinite(column)], np.arange(len(words))).all():
            raise InputError(f"{told}: give them as texts ('{words[0]}'), or as their places 0 ... {len(words) - 1}")
        warnings.append(f"{told}: the numbers are taken as their places 0 ... {len(words) - 1}")
    return tuple(warnings)


def _number(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False


def columns_of(asked: Asked, n: int) -> tuple[str, ...]:
    """Names for a file that has none: the caller's, or those of the background's columns but the target.

    Raises InputError where they are not n.
    """
    held = asked.features or tuple(name for name in asked.background.columns() if name != asked.target)
    if len(held) != n:
        raise InputError(
            f"the model takes {n} features and names none, the background has {len(held)} columns: "
            "name them in the model's order with --features a,b,c, and the target with --target"
        )
    return held


def _classes(ask: Ask, trees: Trees, spaces: tuple[str, ...]) -> Ask:
    """The library's answers with a column a class."""

    def classes(X: np.ndarray) -> dict[str, np.ndarray]:
        told = ask(X)
        margin, found = np.asarray(told["margin"]), np.asarray(told["prediction"])
        if margin.ndim == 1:
            margin = np.stack([-margin, margin], axis=1)
        if found.ndim == 1 and trees.link == "logistic":
            found = np.stack([1 - found, found], axis=1)
        if found.shape != margin.shape:  # classes instead of their probabilities
            return {"margin": margin}
        return {"margin": margin, "probability": found} if "margin" in spaces else {"probability": found}

    return classes


def _chosen(trees: Trees, ask: Ask, output: str | None) -> tuple[Trees, Ask]:
    """One of several targets."""
    k = len(trees.outputs)
    if output is None or not output.isdigit() or int(output) >= k:
        raise InputError(f"the model predicts {k} targets: choose one with --output 0 ... {k - 1}")
    at = int(output)
    return trees.of_output(at), lambda X: {"prediction": np.asarray(ask(X)["prediction"])[:, at]}
