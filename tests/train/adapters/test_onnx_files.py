"""ONNX files: MobileNet, ResNet-20, a model of sentences, a digit reader of one row, a table."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import ascribe
from ascribe.core.errors import AscribeError, InputError
from ascribe.core.layout import Layout
from ascribe.train.adapters.adopted import Picture
from ascribe.train.adopted.vocabulary import words
from ascribe.train.graphs.flat_rows import Feed, Taken, fed, flat_graph
from tests.train.adapters.adopting import DATA, MODELS, NUMBERS, adopted, background, houses, near

IMAGES = DATA / "images"
SENTENCES = (
    "This film was a wonderful surprise, and I loved every minute of it.",
    "A dull and boring movie; the worst that I have seen this year.",
    "The actors do what they can, but the story is weak.",
)


def ask(file, inputs):
    session = onnxruntime.InferenceSession(file)
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs), strict=True))


@pytest.fixture(scope="module")
def mobile(mobilenet):
    return ascribe.open(mobilenet)


def test_mobilenet_knows_the_cat_and_the_cup(mobile):
    files = sorted(IMAGES.glob("*.jpg"))
    probability = mobile.output(space="probability").scores(files)
    found = {file.stem: mobile.outputs[k] for file, k in zip(files, probability.argmax(axis=1), strict=True)}
    assert found["chelsea"] == "Egyptian cat"
    assert found["coffee"] == "espresso"
    assert len(set(mobile.outputs)) == 1001  # labels that occur twice bear their number


def test_mobilenet_is_what_the_file_says_on_pixels(mobile):
    """Resized, cut and scaled here by hand."""
    picture = Image.open(IMAGES / "chelsea.jpg").convert("RGB")
    scale = 146 / min(picture.size)
    held = picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BILINEAR)
    left, top = (held.size[0] - 128) // 2, (held.size[1] - 128) // 2
    pixels = np.asarray(held.crop((left, top, left + 128, top + 128)), np.float32)
    wanted = ask(MODELS / "mobilenet_v1_0.25_128.onnx", {"input": ((pixels - 128) / 128).transpose(2, 0, 1)[None]})
    for given in (IMAGES / "chelsea.jpg", (IMAGES / "chelsea.jpg").read_bytes(), picture, pixels):
        assert near(mobile.scores([given]), wanted["logits"])
    assert near(mobile.output(space="probability").scores(pixels[None]), wanted["probs"])


def test_a_picture_that_cannot_be_read_is_said(mobile, tmp_path):
    (tmp_path / "half.jpg").write_bytes((IMAGES / "coffee.jpg").read_bytes()[:900])
    for given in (tmp_path / "half.jpg", tmp_path / "none.jpg", b"no picture", np.zeros((2, 3, 4, 5)), 7):
        with pytest.raises(InputError):
            mobile.scores(given if isinstance(given, np.ndarray) else [given])


def test_resnet_gives_probabilities_where_it_is_told_how(tmp_path, monkeypatch):
    monkeypatch.setattr("ascribe.train.adopted.adopt.insides", lambda *given: ({}, ()))  # a minute; tested elsewhere
    mean, deviation = np.array([0.485, 0.456, 0.406]) * 255, np.array([0.229, 0.224, 0.225]) * 255
    seen = Picture(mean=tuple(mean), scale=tuple(1 / deviation))
    file = MODELS / "resnet20_cifar10.onnx"
    with pytest.raises(InputError, match="has 10 columns: if they are classes, give --labels"):
        adopted(file, IMAGES, tmp_path / "b", picture=seen)
    opened = adopted(file, IMAGES, tmp_path / "b", picture=seen, link="softmax")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3))
    logits = ask(file, {"input": ((pixels - mean) / deviation).transpose(0, 3, 1, 2).astype(np.float32)})["logits"]
    assert near(opened.scores(pixels), logits)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert near(opened.output(space="probability").scores(pixels), chances)


def test_sentences_are_numbered_as_the_vocabulary_says(tmp_path):
    (tmp_path / "sentences.txt").write_text("\n".join(SENTENCES))
    vocabulary = words(MODELS / "text_sentiment_vocab.txt")
    assert len(vocabulary) == 10_000
    file = MODELS / "text_sentiment_avgemb.onnx"
    opened = adopted(
        file, tmp_path / "sentences.txt", tmp_path / "b", words=vocabulary, labels=("Negative", "Positive"),
        output="Positive",
    )  # fmt: skip
    ids = np.zeros((1, 256), np.int64)
    ids[0, :4] = [1, vocabulary.index("a"), vocabulary.index("dull"), 2]
    assert opened.rows("A DULL zzyzx").tolist() == ids.tolist()
    wanted = ask(file, {"ids": ids})
    assert near(opened.predict("A DULL zzyzx"), wanted["logits"][:, 1])
    assert near(opened.output(space="probability").scores(["A DULL zzyzx"]), wanted["probs"])
    assert opened.model.output == "Positive"
    assert {"gradient", "background"} <= opened.offers
    loved, dull, _ = opened.predict(list(SENTENCES))
    assert loved > dull


def test_a_file_for_one_row_answers_many(tmp_path, monkeypatch):
    monkeypatch.setattr("ascribe.train.adopted.adopt.insides", lambda *given: ({}, ()))
    opened = adopted(MODELS / "mnist-cnn.onnx", IMAGES, tmp_path / "b", link="softmax")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 28, 28, 1))
    wanted = [
        ask(MODELS / "mnist-cnn.onnx", {"Input3": row.transpose(2, 0, 1)[None].astype(np.float32)})["Plus214_Output_0"]
        for row in pixels
    ]
    assert near(opened.scores(pixels), np.concatenate(wanted))


def linear(last: str = "") -> onnx.ModelProto:
    """x (rows, 8) -> x w, perhaps through a last operator."""
    weight = np.linspace(-1, 1, 8, dtype=np.float32)[:, None] / 1000
    nodes = [helper.make_node("MatMul", ["in", "w"], ["m"])]
    nodes.append(helper.make_node(last or "Identity", ["m"], ["out"]))
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["N", 8])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", 1])], [numpy_helper.from_array(weight, "w")],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_a_last_sigmoid_has_its_margin(tmp_path):
    rows = houses().drop_nulls()
    onnx.save(linear("Sigmoid"), tmp_path / "model.onnx")
    opened = adopted(tmp_path / "model.onnx", background(rows, tmp_path), tmp_path / "b", features=NUMBERS)
    X = rows.select(NUMBERS).to_numpy()
    p = ask(tmp_path / "model.onnx", {"in": X.astype(np.float32)})["out"][:, 0]
    assert opened.spaces == ("margin", "probability")
    assert near(opened.output("1", "probability").predict(rows), p)
    assert near(opened.output("1", "margin").predict(rows), X @ np.linspace(-1, 1, 8) / 1000)
    assert near(opened.output("0", "margin").predict(rows), -X @ np.linspace(-1, 1, 8) / 1000)


def test_wrong_files_are_one_clear_line(tmp_path):
    place = background(houses().drop_nulls(), tmp_path)
    onnx.save(linear(), tmp_path / "good.onnx")
    (tmp_path / "half.onnx").write_bytes((tmp_path / "good.onnx").read_bytes()[:60])
    unknown = linear()
    unknown.graph.node[1].op_type = "NoSuchOperator"
    (tmp_path / "unknown.onnx").write_bytes(unknown.SerializeToString())
    for name, options, text in (
        ("half.onnx", {}, "not whole"),
        ("unknown.onnx", {}, "NoSuchOperator"),
        ("good.onnx", {}, "takes 8 features"),
        ("good.onnx", {"features": NUMBERS, "picture": Picture(8, 8)}, "takes no image"),
        ("good.onnx", {"features": ("a", "b")}, "takes 8 features"),
    ):
        with pytest.raises(AscribeError, match=text):
            adopted(tmp_path / name, place, tmp_path / "b", **options)
    with pytest.raises(InputError, match="is no table"):
        adopted(tmp_path / "good.onnx", IMAGES, tmp_path / "b")
    with pytest.raises(InputError, match="folder of pictures"):
        adopted(MODELS / "resnet20_cifar10.onnx", place, tmp_path / "b", link="softmax")


def branch(name, value, *nodes):
    return helper.make_graph(list(nodes), name, [], [helper.make_tensor_value_info(value, TensorProto.FLOAT, None)])


def test_a_branch_of_a_branch_reads_constants_of_the_whole_file():
    deep = branch("deep", "a", helper.make_node("Mul", ["in", "three"], ["a"]))
    other = branch("other", "b", helper.make_node("Neg", ["in"], ["b"]))
    inner = helper.make_node("If", ["yes"], ["c"], then_branch=deep, else_branch=other)
    last = branch("last", "d", helper.make_node("Identity", ["in"], ["d"]))
    outer = helper.make_node("If", ["yes"], ["out"], then_branch=branch("first", "c", inner), else_branch=last)
    held = {"yes": np.array(True), "three": np.float32(3), "unused": np.ones(4, np.float32)}
    graph = helper.make_graph(
        [outer], "g", [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["N", 1])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in held.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    made = flat_graph(model, [Feed("in", TensorProto.FLOAT)], {"prediction": Taken("out")}, Layout("table", (1,)))
    X = np.linspace(-1, 1, 5, dtype=np.float32)[:, None]
    assert ask(made, {"x": X})["prediction"] == pytest.approx(3 * X[:, 0])
    assert "unused" not in str(onnx.load_from_string(made).graph.initializer)


def test_a_picture_of_double_numbers_is_scaled():
    nodes = [helper.make_node("ReduceMean", ["in", "axes"], ["out"], keepdims=0)]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("in", TensorProto.DOUBLE, ["N", 1, 2, 2])],
        [helper.make_tensor_value_info("out", TensorProto.DOUBLE, ["N"])],
        [numpy_helper.from_array(np.array([1, 2, 3]), "axes")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    feed = Feed("in", TensorProto.DOUBLE, shape=(2, 2, 1), first=True, mean=(100.0,), scale=(0.1,))
    made = flat_graph(model, [feed], {"prediction": Taken("out")}, Layout("image", (2, 2, 1)))
    X = np.array([[0.0, 50.0, 100.0, 255.0]])
    assert ask(made, {"x": X})["prediction"] == pytest.approx((X.mean(axis=1) - 100) / 10)
    assert fed([feed], X)["in"].mean() == pytest.approx((X.mean() - 100) / 10)


def test_pixels_with_a_fraction_are_kept_and_others_than_pixels_left_out(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("GlobalAveragePool", ["in"], ["out"])], "g",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["N", 1, 2, 2])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", 1, 1, 1])],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.onnx")
    X = np.random.default_rng(0).random((5, 2, 2, 1))
    X[3, 0, 0] = 995.0
    np.savez(tmp_path / "rows.npz", X)
    opened = adopted(tmp_path / "m.onnx", tmp_path / "rows.npz", tmp_path / "b")
    assert opened.model.background == pytest.approx(np.delete(X, 3, axis=0).reshape(4, 4))
    np.savez(tmp_path / "none.npz", X[3:4])
    with pytest.raises(InputError, match=r"no row of .*none.npz can be used: a pixel is 995"):
        adopted(tmp_path / "m.onnx", tmp_path / "none.npz", tmp_path / "c")
