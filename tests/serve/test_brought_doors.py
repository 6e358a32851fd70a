"""Models that somebody brought, at both doors: the numbers of Python, for pictures, sentences and categories."""

from __future__ import annotations

import base64
import io
import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import numpy as np
import polars as pl
import pytest
from PIL import Image

from ascribe.client import Client, Vector
from ascribe.serve.app import running
from ascribe.serve.settings import Settings
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from tests.journey import typed as command

from .brought import CLASSES, SENTENCES, Brought, adult_rows, bring, picture
from .test_doors import as_json

NAMES = ["eye", "mood", "income"]
METHODS = {
    "eye": ["kernel_shap", "permutation_shap", "lime", "occlusion", "integrated_gradients", "expected_gradients",
            "smooth_grad", "saliency", "input_x_gradient", "grad_cam"],
    "mood": ["kernel_shap", "permutation_shap", "lime", "occlusion", "integrated_gradients", "expected_gradients",
             "smooth_grad", "saliency", "input_x_gradient"],
    "income": ["kernel_shap", "permutation_shap", "lime", "occlusion", "tree_shap", "tree_shap_interventional"],
}  # fmt: skip
EVERY = [(name, method) for name, methods in METHODS.items() for method in methods]
PICTURE = picture(0)


@dataclass
class Doors:
    http: httpx.Client
    stub: AttributionServiceStub
    brought: Brought
    http_at: str
    grpc_at: str

    def posted(self, rows: Any, path: str = "/v1/attributions", **fields: Any) -> httpx.Response:
        return self.http.post(path, json={"feature_vector": rows, **fields})

    def rest(self, rows: Any, path: str = "/v1/attributions", **fields: Any) -> dict[str, Any]:
        answer = self.posted(rows, path, **fields)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def doors(tmp_path_factory) -> Iterator[Doors]:
    brought = bring(tmp_path_factory)
    with running(brought.registry, NAMES, Settings(max_budget=4096), write=lambda line: None) as at:
        options = [("grpc.max_receive_message_length", -1)]
        with httpx.Client(base_url=at.http) as http, grpc.insecure_channel(at.grpc, options) as channel:
            yield Doors(http, AttributionServiceStub(channel), brought, at.http, f"grpc://{at.grpc}")


def encoded(raw: bytes) -> dict[str, str]:
    return {"image": base64.b64encode(raw).decode()}


def given(name: str) -> tuple[list[Any], list[pb.FeatureVector], Any]:
    """Two rows as JSON, as messages, and as Python takes them."""
    if name == "eye":
        files = [PICTURE, picture(1, (40, 60), "JPEG")]
        return [encoded(raw) for raw in files], [pb.FeatureVector(image=raw) for raw in files], files
    if name == "mood":
        texts = list(SENTENCES[:2])
        return [{"text": text} for text in texts], [pb.FeatureVector(text=text) for text in texts], texts
    rows = adult_rows()
    messages = []
    for row in rows:
        numbers = [math.nan if v is None or isinstance(v, str) else v for v in row.values()]
        words = [v if isinstance(v, str) else "" for v in row.values()]
        messages.append(pb.FeatureVector(names=list(row), values=numbers, categories=words))
    return [{"values": row} for row in rows], messages, [list(row.values()) for row in rows]


def values_of(row: dict[str, Any], features: list[str]) -> list[float]:
    return row["values"] or [row["attribution_shares"][name] for name in features]


def test_each_model_says_what_it_can_be_asked_and_no_more(doors):
    for name, methods in METHODS.items():
        told = doors.http.get(f"/v1/models/{name}/explainers").json()
        output = told["outputs"][0]
        assert output["methods"] == methods == list(doors.brought.opened[name].explainers)
        assert list(output["details"]) == methods
        assert len(told["classes"]) == len(doors.brought.opened[name].outputs)
        for method, asking in output["details"].items():
            assert set(asking["needs"]) <= doors.brought.opened[name].offers
            assert asking["where"][:2] == ["cli", "python"], method
        card = doors.http.get(f"/v1/models/{name}").json()
        layout = doors.brought.opened[name].model.layout
        assert (card["layout"], card["shape"]) == (layout.kind, list(layout.shape))
    assert doors.http.get("/v1/models/income/explainers").json()["outputs"][0]["usual"] == "tree_shap"


@pytest.mark.parametrize(("name", "method"), EVERY, ids=[f"{name}-{method}" for name, method in EVERY])
def test_rest_grpc_and_python_say_the_same_bits(doors, name, method):
    """But where the service refuses since it would cost too much, and says where else to ask."""
    rows, messages, held = given(name)
    options: dict[str, Any] = {}
    budget = 200 if method in ("kernel_shap", "permutation_shap", "lime") else None
    if name != "income" and method in ("kernel_shap", "permutation_shap"):
        options = {"baseline": "grey" if name == "eye" else "padding"}
    wishes = {} if budget is None else {"budget": budget}
    by_rest = doors.rest(rows, model=name, method=method, request_id="same", options=options, **wishes)
    by_rpc = doors.stub.GetAttribution(
        pb.AttributionRequest(
            feature_vector=messages, model=name, method=method, request_id="same",
            options=pb.MethodOptions(**options), **wishes,
        )
    )  # fmt: skip
    by_rest.pop("timings_ms")
    assert as_json(by_rpc) == by_rest
    a = doors.brought.opened[name].explain(held, method, **wishes, **options)
    assert [row["status"] for row in by_rest["attributions"]] == a.status.tolist() == ["ok", "ok"]
    assert by_rest["additive"] is a.additive
    assert (by_rest["output"], by_rest["space"]) == (a.info.output, a.info.space)
    assert len(by_rest["features"]) == (14 if name == "income" else 0)
    for k, row in enumerate(by_rest["attributions"]):
        assert values_of(row, by_rest["features"]) == a.values[k].tolist()
        assert row["prediction"] == a.prediction[k]
        if a.additive:
            total = sum(values_of(row, by_rest["features"])) + row["base_value"]
            assert total == pytest.approx(row["prediction"], abs=by_rest["efficiency_gap"] + 1e-9)
        else:
            told = "efficiency_gap" in a.info.gaps  # of falls, which claim no sum
            assert row["fraction"] == {} and (by_rest["efficiency_gap"] is not None) == told
            assert by_rpc.HasField("efficiency_gap") == told
    assert any(np.abs(values_of(row, by_rest["features"])).max() > 0 for row in by_rest["attributions"])
    if name != "income":
        layout = doors.brought.opened[name].model.layout
        assert (by_rest["layout"], by_rest["shape"]) == (layout.kind, list(layout.shape))
        assert len(by_rest["attributions"][0]["values"]) == layout.n
    if name == "mood":
        assert by_rest["attributions"][0]["words"] == ["<START>", "very", "good", "film"] + ["<PAD>"] * 4


def test_a_text_s_shares_stand_on_its_words(doors):
    """A word that is not there has no share, and the class and the space may be chosen."""
    for space in ("margin", "probability"):
        answer = doors.rest(
            {"text": SENTENCES[0]}, model="mood", method="kernel_shap", space=space, output="sad",
            options={"baseline": "padding"},
        )  # fmt: skip
        assert (answer["space"], answer["output"]) == (space, "sad")
        row = answer["attributions"][0]
        held = doors.brought.opened["mood"].output("sad", space)
        assert row["prediction"] == held.predict([SENTENCES[0]])[0]
        assert [value for word, value in zip(row["words"], row["values"], strict=True) if word == "<PAD>"] == [0.0] * 4
    assert doors.posted({"text": "good"}, model="mood", space="odds").status_code == 404


def test_the_largest_scores_are_named(doors):
    rows, messages, held = given("eye")
    by_rest = doors.rest(rows, "/v1/predictions", model="eye", scores=2, space="probability", request_id="s")
    by_rpc = doors.stub.GetPrediction(
        pb.PredictionRequest(feature_vector=messages, model="eye", scores=2, space="probability", request_id="s")
    )
    by_rest.pop("timings_ms")
    assert as_json(by_rpc) == by_rest
    scores = doors.brought.opened["eye"].output(space="probability").scores(held)
    for row, own in zip(by_rest["predictions"], scores, strict=True):
        order = np.argsort(-own)[:2]
        assert [s["output"] for s in row["scores"]] == [CLASSES[j] for j in order]
        assert [s["score"] for s in row["scores"]] == own[order].tolist()
        assert row["prediction"] == own[CLASSES.index("noon")]
    assert doors.rest(rows, "/v1/predictions", model="eye")["predictions"][0]["scores"] == []


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header claims so many pixels, and holds none."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def tiff() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (12, 10)).save(out, "TIFF")
    return out.getvalue()


BROKEN = {
    "no picture": (b"hello", "cannot be read"),
    "cut off": (PICTURE[:80], "cannot be read"),
    "empty": (b"", "cannot be read"),
    "a bomb": (bomb(8000, 8000), "8000 x 8000 pixels"),
    "a larger bomb": (bomb(60000, 60000), "too many pixels"),
    "long and thin": (bomb(1, 4_000_000), "1 x 4000000 pixels"),
    "another kind": (tiff(), "PNG, JPEG"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_bad_picture_fails_alone(doors, name):
    raw, text = BROKEN[name]
    alone = doors.rest([encoded(PICTURE)], model="eye", method="saliency")["attributions"]
    mixed = doors.rest([encoded(PICTURE), encoded(raw), encoded(PICTURE)], model="eye", method="saliency")
    assert [row["status"] for row in mixed["attributions"]] == ["ok", "invalid", "ok"]
    assert text in mixed["attributions"][1]["reason"]
    assert mixed["attributions"][1]["values"] == [] and mixed["attributions"][1]["prediction"] is None
    assert [mixed["attributions"][k] for k in (0, 2)] == alone * 2
    vectors = [pb.FeatureVector(image=one) for one in (PICTURE, raw, PICTURE)]
    by_rpc = doors.stub.GetAttribution(pb.AttributionRequest(feature_vector=vectors, model="eye", method="saliency"))
    assert as_json(by_rpc)["attributions"] == mixed["attributions"]


@pytest.mark.parametrize(
    ("model", "row", "text"),
    [
        ("eye", {"image": "not base64!"}, "base64"),
        ("eye", {"text": "good"}, "a picture: send image"),
        ("eye", {"values": [1, 2]}, "a picture: send image"),
        ("eye", {"image": "", "text": "good"}, "a row is one of them"),
        ("eye", {"values": [300.0] * 360}, "a pixel is 300"),
        ("eye", {}, "missing required field"),
        ("mood", {"image": ""}, "a sentence: send text"),
        ("mood", {"text": "good " * 20000}, "characters"),
        ("mood", {"values": [0.5] * 8}, "a word number is 0.5"),
        ("income", {"text": "good"}, "reads values"),
        ("income", {"values": dict.fromkeys(["age"], 1)}, "missing"),
    ],
)
def test_a_row_of_another_kind_says_what_is_wanted(doors, model, row, text):
    answer = doors.posted([row], model=model)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert text in answer.json()["detail"]


def test_pixels_and_word_numbers_are_rows_too(doors):
    pixels = np.asarray(Image.open(io.BytesIO(PICTURE)), float).reshape(-1).tolist()
    by_numbers = doors.rest({"values": pixels}, model="eye", method="saliency")["attributions"]
    assert by_numbers == doors.rest(encoded(PICTURE), model="eye", method="saliency")["attributions"]


def test_categories_and_gaps(doors):
    """A category that is none fails alone; where values may be missing its row is not answered as if all were."""
    rows = adult_rows()
    wrong = rows[0] | {"sex": "neither"}
    answer = doors.rest([{"values": row} for row in (rows[0], wrong, rows[1])], model="income")
    assert [row["status"] for row in answer["attributions"]] == ["ok", "invalid", "ok"]
    assert answer["method"] == "tree_shap"
    bad = answer["attributions"][1]
    assert "none of its categories" in bad["reason"]
    assert bad["prediction"] is None and bad["attribution_shares"] == {}
    predicted = doors.rest([{"values": row} for row in (wrong, rows[1])], "/v1/predictions", model="income")
    assert [row["status"] for row in predicted["predictions"]] == ["invalid", "ok"]
    assert predicted["predictions"][0]["prediction"] is None
    own = doors.brought.opened["income"].predict([list(rows[1].values())])
    assert predicted["predictions"][1]["prediction"] == own[0]
    message = pb.FeatureVector(names=["age"], values=[1.0], categories=["a", "b"])
    with pytest.raises(grpc.RpcError, match="2 categories for 1 values"):
        doors.stub.GetAttribution(pb.AttributionRequest(feature_vector=[message], model="income"))


def test_the_command_line_says_the_same_of_a_table(doors, tmp_path):
    rows = adult_rows()
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(tmp_path / "rows.parquet")
    for method in ("tree_shap", "occlusion"):
        done = command(
            "explain", doors.brought.place / "income" / "bundle", tmp_path / "rows.parquet", "--method", method,
            "-o", tmp_path / "out.parquet",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        table = pl.read_parquet(tmp_path / "out.parquet")
        answer = doors.rest([{"values": row} for row in rows], model="income", method=method)
        for k, row in enumerate(answer["attributions"]):
            assert {name: table[name][k] for name in answer["features"]} == row["attribution_shares"]
            assert table["prediction"][k] == row["prediction"]


REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("saliency", {"steps": 5}, 400, "saliency takes no steps: leave it out, or ask integrated_gradients"),
    ("lime", {"window": 3}, 400, "lime takes no window"),
    ("grad_cam", {"layer": "nowhere"}, 404, "nowhere"),
    ("integrated_gradients", {"steps": 0}, 400, "steps is 0"),
    ("integrated_gradients", {"steps": 5000}, 413, "the limit of this server is 1024"),
    ("integrated_gradients", {"rule": "magic"}, 400, "no rule 'magic'"),
    ("integrated_gradients", {"baseline": "padding"}, 400, "no baseline 'padding'"),
    ("integrated_gradients", {"baseline": "grey", "baseline_row": [1.0]}, 400, "not both"),
    ("integrated_gradients", {"baseline_row": [1.0]}, 400, "a baseline is a row of 360 numbers"),
    ("smooth_grad", {"noise": -1.0}, 400, "noise is a share"),
    ("smooth_grad", {"draws": 100000}, 413, "the limit of this server is 4096"),
    ("occlusion", {"window": 2, "stride": 3}, 400, "at most the window"),
    ("kernel_shap", {"segments": 5000}, 413, "the limit of this server is 4096"),
]


@pytest.mark.parametrize(("method", "options", "status", "text"), REFUSED)
def test_an_option_that_cannot_be_used_is_refused_alike_at_both_doors(doors, method, options, status, text):
    answer = doors.posted(encoded(PICTURE), model="eye", method=method, options=options)
    assert (answer.status_code, text in answer.json()["detail"]) == (status, True), answer.text
    request = pb.AttributionRequest(
        feature_vector=[pb.FeatureVector(image=PICTURE)], model="eye", method=method,
        options=pb.MethodOptions(**options),
    )  # fmt: skip
    with pytest.raises(grpc.RpcError) as caught:
        doors.stub.GetAttribution(request)
    assert caught.value.details() == answer.json()["detail"][:300]


def test_not_a_number_is_no_noise(doors):
    request = pb.AttributionRequest(
        feature_vector=[pb.FeatureVector(image=PICTURE)], model="eye", method="smooth_grad",
        options=pb.MethodOptions(noise=math.nan),
    )  # fmt: skip
    with pytest.raises(grpc.RpcError, match="noise is a share"):
        doors.stub.GetAttribution(request)


def test_options_do_what_they_do_in_python(doors):
    opened = doors.brought.opened["eye"]
    for method, options in (
        ("integrated_gradients", {"steps": 9, "rule": "riemann_middle", "baseline": "blur"}),
        ("integrated_gradients", {"steps": 9, "baseline_row": [float(k % 255) for k in range(360)]}),
        ("smooth_grad", {"draws": 5, "noise": 0.3}),
        ("occlusion", {"window": 4, "stride": 2, "baseline": "mean"}),
        ("kernel_shap", {"segments": 6, "baseline": "grey"}),
        ("grad_cam", {"layer": opened.model.layers.names[0]}),
    ):
        got = doors.rest(encoded(PICTURE), model="eye", method=method, options=options, seed=4)
        held = {"baseline" if name == "baseline_row" else name: value for name, value in options.items()}
        if "baseline_row" in options:
            held["baseline"] = np.array(options["baseline_row"])
        a = opened.explain([PICTURE], method, seed=4, **held)
        assert got["attributions"][0]["values"] == a.values[0].tolist(), method


def test_what_costs_too_much_is_refused_with_the_line_that_does_it(doors):
    """4,096 questions of a row, 49 players, 4 pictures as background."""
    asked = doors.posted(encoded(PICTURE), model="eye", method="kernel_shap", budget=2000)
    assert (asked.status_code, asked.json()["code"]) == (413, "too_large")
    assert "8000 times for a row" in asked.json()["detail"]
    assert "ascribe explain BUNDLE ROWS --method kernel_shap" in asked.json()["detail"]
    less = doors.rest(encoded(PICTURE), model="eye", method="kernel_shap", budget=2000, options={"baseline": "grey"})
    assert less["budget"] == 2000
    details = doors.http.get("/v1/models/mood/explainers").json()["outputs"][0]["details"]
    assert details["kernel_shap"]["where"] == ["cli", "python", "rest", "grpc"]


def test_a_small_server_says_that_others_are_for_the_command_line(doors):
    with running(doors.brought.registry, ["eye"], Settings(max_budget=300), write=lambda line: None) as at:
        told = httpx.get(f"{at.http}/v1/models/eye/explainers").json()["outputs"][0]["details"]
        assert told["kernel_shap"]["where"] == ["cli", "python"]
        assert told["grad_cam"]["where"] == ["cli", "python", "rest", "grpc"]
        asked = {"feature_vector": encoded(PICTURE), "method": "kernel_shap"}
        answer = httpx.post(f"{at.http}/v1/attributions", json=asked)
        assert answer.status_code == 413


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_the_client_on_both_ways(doors, way, tmp_path):
    opened = doors.brought.opened
    (tmp_path / "a.png").write_bytes(PICTURE)
    with Client(doors.http_at if way == "http" else doors.grpc_at) as client:
        for X in (tmp_path / "a.png", PICTURE, [PICTURE], Vector(whole=PICTURE, id="")):
            answer = client.explain(X, model="eye", method="integrated_gradients", steps=7, baseline="grey")
            own = opened["eye"].explain([PICTURE], "integrated_gradients", steps=7, baseline="grey")
            assert answer.attributions[0].values == own.values[0].tolist()
        found = client.predict(list(SENTENCES), model="mood", space="probability", scores=1)
        scores = opened["mood"].output(space="probability").scores(list(SENTENCES))
        assert [row.scores[0].score for row in found.predictions] == scores.max(axis=1).tolist()
        rows = adult_rows()
        shares = client.explain(rows, model="income")
        own = opened["income"].explain([list(row.values()) for row in rows], "tree_shap")
        assert [
            list(r.attribution_shares.values()) for r in shares.attributions
        ] == own.values.tolist() or way == "grpc"
        for row, values in zip(shares.attributions, own.values.tolist(), strict=True):
            assert [row.attribution_shares[name] for name in shares.features] == values
        slopes = client.explain("very good", model="mood", method="saliency")
        assert slopes.efficiency_gap is None and slopes.base_value is None and not slopes.additive
        job = client.submit([PICTURE, picture(1)], model="eye", method="saliency")
        client.wait(job.id, timeout=120, every_s=0.05)
        result = client.result(job.id)
        direct = client.explain([PICTURE, picture(1)], model="eye", method="saliency")
        assert [row.values for row in result.attributions] == [row.values for row in direct.attributions]
        assert result.efficiency_gap is None


def test_word_numbers_by_the_open_inference_protocol(doors):
    card = doors.http.get("/v2/models/mood").json()
    assert card["inputs"][0]["shape"] == [-1, 8]
    numbers = doors.brought.opened["mood"].rows([SENTENCES[0]])[0].tolist()
    tensor = {"name": "x", "shape": [1, 8], "datatype": "FP64", "data": numbers}
    body = {"inputs": [tensor], "outputs": [{"name": "attribution"}], "parameters": {"method": "saliency"}}
    answer = doors.http.post("/v2/models/mood/infer", json=body).json()
    own = doors.brought.opened["mood"].explain([SENTENCES[0]], "saliency")
    assert answer["outputs"][0]["data"] == own.values[0].tolist()


def test_many_large_rows_are_refused_before_they_are_laid_out():
    from ascribe.core.layout import Layout
    from ascribe.serve.faults import TooLargeError
    from ascribe.serve.pictures import narrow_enough

    narrow_enough(170, Layout("image", (128, 128, 3)))
    with pytest.raises(TooLargeError, match="the limit is 170 in a request"):
        narrow_enough(171, Layout("image", (128, 128, 3)))


def test_pictures_under_way_weigh_and_tables_do_not():
    from ascribe.core.layout import Layout
    from ascribe.serve.faults import ShedError
    from ascribe.serve.weight import Weight, weight

    one, held = weight(1, Layout("image", (128, 128, 3))), Weight(2_000_000)
    assert one == 4 * 8 * 49152 and weight(9, Layout("table", (5,))) == 0
    with held.taken(one):
        with pytest.raises(ShedError, match="are being answered"), held.taken(one):
            pass
        with held.taken(0):
            assert held.held == one
    assert held.held == 0
    with held.taken(3_000_000):  # what comes alone is let in
        pass
