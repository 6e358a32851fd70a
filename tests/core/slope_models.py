"""Functions with a slope that is known by formula, as models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ascribe.core.features import Feature
from ascribe.core.gradient import Gradient
from ascribe.core.inside import Attention, Layers, Maps
from ascribe.core.layout import Layout
from ascribe.core.model import Model

NAMES = ("load", "clock", "heat", "idle")
BACKGROUND = np.random.default_rng(0).standard_normal((40, 4))
X = np.array([[0.3, -1.0, 0.7, 0.1], [1.5, 0.2, -0.4, -1.1], [-0.6, 0.9, 0.0, 2.0], [0.1, 0.1, 0.4, -0.3]])
LINE = np.array([1.0, -2.0, 0.5, 0.0])


def f(Z: np.ndarray) -> np.ndarray:
    """`idle` has no say."""
    return 5.0 + Z @ LINE + Z[:, 0] * Z[:, 1] + np.sin(2 * Z[:, 2]) * Z[:, 0] ** 2


def slope(Z: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    g = np.tile(LINE, (len(Z), 1))
    g[:, 0] += Z[:, 1] + 2 * Z[:, 0] * np.sin(2 * Z[:, 2])
    g[:, 1] += Z[:, 0]
    g[:, 2] += 2 * np.cos(2 * Z[:, 2]) * Z[:, 0] ** 2
    return f(Z), g


def table(**changes: object) -> Model:
    """A table's model, power in W."""
    features = tuple(Feature(name, "W", -50.0, 50.0, "", -10.0, 10.0) for name in NAMES)
    whole = Model(
        features, f, BACKGROUND, unit="W", output="power", version="7", gradient=Gradient(slope),
        attention=attentive(4), layout=Layout("table", (4,)),
    )  # fmt: skip
    return replace(whole, **changes)


def attentive(n: int, extra: int = 0, layers: int = 2, heads: int = 3) -> Attention:
    """Weights that depend on the row, two layers of three heads."""
    k = n + extra
    mix = np.random.default_rng(5).standard_normal((layers, heads, k, k))

    def weights(rows: np.ndarray) -> list[np.ndarray]:
        seen = np.concatenate([np.zeros((len(rows), extra)), rows], axis=1)
        logits = [m[None] + 0.3 * seen[:, None, None, :] for m in mix]
        powers = [np.exp(w - w.max(axis=3, keepdims=True)) for w in logits]
        return [p / p.sum(axis=3, keepdims=True) for p in powers]

    return Attention(weights, tuple(f"block{j}" for j in range(layers)), extra)


SHAPE = (6, 8, 3)
KERNEL = np.random.default_rng(1).standard_normal((2, 3))
READ = np.random.default_rng(2).standard_normal((2, 3, 4))


def image() -> Model:
    """One linear layer of two maps on cells of 2 x 2 pixels; f = sum of READ * maps^2 / 2."""

    def maps(rows: np.ndarray) -> np.ndarray:
        cells = (rows.reshape(-1, *SHAPE) / 255).reshape(-1, 3, 2, 4, 2, 3).mean(axis=(2, 4))
        return np.einsum("bhwk,ck->bchw", cells, KERNEL)

    def predict(rows: np.ndarray) -> np.ndarray:
        return (READ * maps(rows) ** 2 / 2).sum(axis=(1, 2, 3))

    def at(rows: np.ndarray, name: str) -> Maps:
        return Maps(maps(rows), READ * maps(rows))

    def sloped(Z: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        back = np.einsum("bchw,ck->bhwk", READ * maps(Z), KERNEL) / 4 / 255
        return predict(Z), np.repeat(np.repeat(back, 2, axis=1), 2, axis=2).reshape(len(Z), -1)

    return Model((), predict, layout=Layout("image", SHAPE), gradient=Gradient(sloped), layers=Layers(("cells",), at))


VECTORS = np.random.default_rng(3).standard_normal((9, 5))


def text() -> Model:
    """The mean vector of the words that are not padding, through tanh; the mask is that of the row."""

    def sloped(Z: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        share = (rows != 0) / np.maximum((rows != 0).sum(axis=1, keepdims=True), 1)
        mean = np.einsum("bl,bld->bd", share, Z.reshape(len(Z), -1, 5))
        back = share[:, :, None] * (1 - np.tanh(mean) ** 2)[:, None]
        return np.tanh(mean).sum(axis=1), back.reshape(len(Z), -1)

    embed = lambda rows: VECTORS[rows.astype(int)].reshape(len(rows), -1)  # noqa: E731
    words = ("", "the", "of", "a", "good", "bad", "film", "plot", "end")
    return Model(
        (), lambda rows: sloped(embed(rows), rows)[0], layout=Layout("text", (6,), 0, words),
        gradient=Gradient(sloped, embed), attention=attentive(6, extra=1),
    )  # fmt: skip


TEXTS = np.array([[1.0, 4, 6, 0, 0, 0], [3, 5, 7, 8, 2, 1], [5, 6, 0, 0, 0, 0]])
IMAGES = np.random.default_rng(4).integers(0, 256, (3, *SHAPE)).astype(float).reshape(3, -1)
