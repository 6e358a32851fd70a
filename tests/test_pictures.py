"""Real networks: where the cat is, and which words are liked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from ascribe.core.explainers import explain
from ascribe.core.layout import Layout
from ascribe.core.model import Model
from ascribe.core.options import Options, Patch

DATA = Path(__file__).parents[1] / "examples" / "data"
PLACES = {"left": (0, 0), "right below": (64, 64)}


def opened(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options)


@pytest.fixture(scope="module")
def cats() -> Model:
    """MobileNet's margin of "Egyptian cat"."""
    session = opened(DATA / "models" / "mobilenet_v1_0.25_128.onnx")
    labels = (DATA / "models" / "imagenet_labels_1001.txt").read_text().splitlines()
    at = labels.index("Egyptian cat")

    def predict(X: np.ndarray) -> np.ndarray:
        scaled = (X.reshape(-1, 128, 128, 3) - 128) / 128
        return session.run(["logits"], {"input": scaled.transpose(0, 3, 1, 2).astype(np.float32)})[0][:, at].astype(
            float
        )

    return Model((), predict, layout=Layout("image", (128, 128, 3)), output="Egyptian cat", space="margin")


def picture(name: str) -> np.ndarray:
    pillow = pytest.importorskip("PIL.Image")
    image = pillow.open(DATA / "images" / name).convert("RGB")
    side, (width, height) = min(image.size), image.size
    box = ((width - side) // 2, (height - side) // 2, (width + side) // 2, (height + side) // 2)
    return np.asarray(image.crop(box).resize((64, 64)), float)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("occlusion", Options()),
        ("occlusion", Options(patch=Patch(32, 16))),
        ("lime", Options(segments=np.array(60), budget=400)),
        ("kernel_shap", Options("kernel", budget=1500)),
        ("permutation_shap", Options(segments=np.array(50), budget=600, baseline="blur")),
    ],
    ids=["occlusion", "wide", "lime", "kernel", "permutation"],
)
def test_the_cat_is_where_it_is(cats, method, options, place):
    """One cat among three rockets: most of what speaks for a cat lies in its quarter of the picture."""
    y, x = PLACES[place]
    image = np.tile(picture("rocket.jpg"), (2, 2, 1))
    image[y : y + 64, x : x + 64] = picture("chelsea.jpg")
    a = explain(cats, image.reshape(1, -1), method, options)
    for_it = np.maximum(a.values[0].reshape(128, 128, 3).sum(axis=2), 0)
    assert a.status.tolist() == ["ok"]
    assert for_it[y : y + 64, x : x + 64].sum() > 0.6 * for_it.sum()  # a quarter of the picture


@pytest.fixture(scope="module")
def reviews() -> tuple[Model, Callable[[str], np.ndarray]]:
    """Whether a review is liked: a bag of embedded words."""
    session = opened(DATA / "models" / "text_sentiment_avgemb.onnx")
    lines = (DATA / "models" / "text_sentiment_vocab.txt").read_text().split("\n")
    number = {word: int(k) for word, k in (line.rsplit(" ", 1) for line in lines if line)}
    words = [""] * (max(number.values()) + 1)
    for word, k in number.items():
        words[k] = word

    def row(text: str) -> np.ndarray:
        held = [1, *(number[w] for w in text.split())]
        return np.array([held + [0] * (256 - len(held))], float)

    predict = lambda X: session.run(["probs"], {"ids": X.astype(np.int64)})[0][:, 1].astype(float)  # noqa: E731
    return Model((), predict, layout=Layout("text", (256,), 0, tuple(words)), space="probability"), row


@pytest.mark.parametrize("method", ["kernel_shap", "permutation_shap", "lime", "occlusion"])
def test_words_that_are_liked(reviews, method):
    model, row = reviews
    text = "a wonderful film with a great cast but the ending was terrible and boring"
    a = explain(model, row(text), method)
    of = dict(zip(text.split(), a.values[0, 1:], strict=False))
    best = sorted(of, key=of.__getitem__)
    assert set(best[-2:]) == {"wonderful", "great"}
    assert set(best[:2]) == {"terrible", "boring"}
    assert (a.values[0, [0, *range(15, 256)]] == 0).all()


def test_captum_agrees_on_shapley_values_of_words(reviews):
    torch, captum = pytest.importorskip("torch"), pytest.importorskip("captum.attr")
    model, row = reviews
    x = row("the best of the year")
    ours = explain(model, x, "kernel_shap", Options("exact"))
    mask = np.where(ours.segments[0] >= 0, ours.segments[0], 5)  # padding and the start as one more
    forward = lambda rows: torch.tensor(model.predict(rows.numpy()))  # noqa: E731
    hidden = np.where(ours.segments >= 0, 0.0, x)
    theirs = captum.ShapleyValues(forward).attribute(
        torch.tensor(x), baselines=torch.tensor(hidden), feature_mask=torch.tensor(mask[None])
    )
    assert ours.values[0, 1:6] == pytest.approx(theirs.numpy()[0, 1:6], abs=1e-5)  # single precision, 720 orders
    assert ours.stderr.max() == 0
