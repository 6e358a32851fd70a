"""A network of pictures by every way in: import, publish, serve, ask by REST, gRPC, Python and the command line."""

from __future__ import annotations

import base64
import time

import grpc
import httpx
import numpy as np
import pyarrow.parquet
import pytest

import ascribe
from ascribe.cli.options import METHODS
from ascribe.core.explainers import EXPLAINERS
from ascribe.serve.app import running
from ascribe.serve.settings import Settings
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from tests.journey import ROOT, one_line, typed
from tests.journey import ascribe as command

DATA = ROOT / "examples" / "data"
CAT = DATA / "images" / "chelsea.jpg"


@pytest.fixture(scope="module")
def place(mobilenet):
    """The folder of `bundle`, and of a registry where it is in production as `mobile`."""
    place = mobilenet.parent
    done = typed("publish", place / "bundle", "--registry", place / "registry", "--name", "mobile")
    promoted = typed("promote", "mobile", done.stdout.strip(), "--registry", place / "registry")
    assert promoted.returncode == 0, promoted.stderr
    return place


def explained(place, *words):
    done = typed("explain", place / "bundle", CAT, "-o", place / "out.parquet", *words)
    assert done.returncode == 0, done.stderr
    return pyarrow.parquet.read_table(place / "out.parquet")


def test_the_cat_by_every_way_in(place):
    opened, raw = ascribe.open(place / "bundle"), CAT.read_bytes()
    row = {"image": base64.b64encode(raw).decode()}
    began = time.monotonic()
    with running(str(place / "registry"), "mobile", Settings(), write=lambda line: None) as at:
        started = time.monotonic() - began
        predicted = httpx.post(
            f"{at.http}/v1/predictions", json={"feature_vector": row, "scores": 3, "space": "probability"}
        ).json()["predictions"][0]
        assert predicted["scores"][0]["output"] == "Egyptian cat"
        assert predicted["scores"][0]["score"] == predicted["prediction"] == pytest.approx(0.666, abs=0.01)
        asked = {
            "integrated_gradients": ({"steps": 16, "baseline": "grey"}, ("--steps", 16, "--baseline", "grey")),
            "occlusion": ({"window": 32, "stride": 16}, ("--window", 32, "--stride", 16)),
            "grad_cam": ({}, ()),
        }
        with grpc.insecure_channel(at.grpc, [("grpc.max_receive_message_length", -1)]) as channel:
            for method, (options, words) in asked.items():
                body = {"feature_vector": row, "method": method, "options": options}
                answer = httpx.post(f"{at.http}/v1/attributions", json=body).json()
                by_rpc = AttributionServiceStub(channel).GetAttribution(
                    pb.AttributionRequest(
                        feature_vector=[pb.FeatureVector(image=raw)], method=method, options=pb.MethodOptions(**options)
                    )
                )
                (found,) = answer["attributions"]
                assert (answer["output"], answer["shape"]) == ("Egyptian cat", [128, 128, 3])
                assert list(by_rpc.attributions[0].values) == found["values"]
                assert opened.explain([CAT], method, **options).values[0].tolist() == found["values"]
                table = explained(place, "--method", method, *words)
                assert np.array_equal(table["values"].to_pylist()[0], found["values"]), method
    assert started < 120  # what warms up is a few players of one picture, not hundreds


def test_a_class_and_a_space_are_chosen_by_name(place):
    opened = ascribe.open(place / "bundle").output("tabby, tabby cat", "probability")
    table = explained(
        place, "--method", "saliency", "--target", "tabby, tabby cat", "--space", "probability", "--say", "en"
    )
    assert table["prediction"].to_pylist() == pytest.approx(opened.predict([CAT]), rel=1e-5)  # of another graph


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--method", "lime", "--steps", 5), "lime takes no steps: leave it out, or ask integrated_gradients"),
        (("--method", "magic"), "unknown method 'magic'"),
        (("--method", "conditional_shap"), "conditional_shap needs conditional"),
        (("--method", "grad_cam", "--layer", "nowhere"), "nowhere"),
        (("--baseline", "padding"), "no baseline 'padding'"),
        (("--rule", "magic"), "no rule 'magic'"),
        (("--target", "unicorn"), "no output 'unicorn'"),
        (("--target", "²"), "no output '²'"),
        (("--space", "odds"), "no space 'odds'"),
    ],
)
def test_a_wrong_option_is_one_line(words, text, place):
    done = typed("explain", place / "bundle", CAT, "-o", place / "none.parquet", *words)
    assert done.returncode == 2
    said = done.stderr.strip().splitlines()[-1]
    assert said.startswith("ascribe: ") and text in said and "Traceback" not in done.stderr
    assert not (place / "none.parquet").exists()


def test_what_can_be_asked_says_where(place):
    lines = typed("explainers", place / "bundle").stdout.splitlines()
    cam = next(line for line in lines if line.strip().startswith("grad_cam"))
    assert cam.strip() == "grad_cam: needs layers, predict; takes layer; cli, python, rest, grpc"
    assert not any("tree_shap" in line for line in lines)


def test_sentences_lie_in_a_table(tmp_path):
    (tmp_path / "sentences.txt").write_text("A wonderful film.\nA dull and boring movie.\n")
    (tmp_path / "labels.txt").write_text("Negative\nPositive\n")
    done = typed(
        "import", DATA / "models" / "text_sentiment_avgemb.onnx", "--background", tmp_path / "sentences.txt",
        "--vocabulary", DATA / "models" / "text_sentiment_vocab.txt", "--labels", tmp_path / "labels.txt",
        "--output", "Positive", "--out", tmp_path / "b",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (tmp_path / "rows.csv").write_text('id,text\n7,"I loved it"\n9,"I hated it"\n')
    for file, words in (("rows.csv", ("--name", "id")), ("lines.txt", ())):
        (tmp_path / "lines.txt").write_text("I loved it\nI hated it\n")
        done = command("explain", tmp_path / "b", tmp_path / file, "-o", tmp_path / f"{file}.parquet", *words)
        assert done.returncode == 0, done.stderr
    first, second = (pyarrow.parquet.read_table(tmp_path / f"{f}.parquet") for f in ("rows.csv", "lines.txt"))
    assert first["values"] == second["values"]
    loved, hated = first["prediction"].to_pylist()
    assert loved > hated
    (tmp_path / "two.csv").write_text("a,b\nx,y\n")
    done = typed("explain", tmp_path / "b", tmp_path / "two.csv", "-o", tmp_path / "o.parquet")
    assert "2 columns of texts" in one_line(done)


def test_help_names_every_method():
    assert tuple(EXPLAINERS) == METHODS
