"""CSV and Parquet at the HTTP door: the numbers of JSON, files that a picture can be drawn from, nothing hostile."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from ascribe.bundle.answers import read_answer
from ascribe.core.errors import InputError
from ascribe.core.features import Feature
from ascribe.serve import sheets
from ascribe.serve.access.keys import line, new_key
from ascribe.serve.rows import check

from . import tiny
from .asking import doors

CSV, PARQUET = sheets.CSV, sheets.PARQUET
X = np.array([[0.6, 2.5, 9.0], [0.1, 1.7, 3.25], [0.7, 3.1, 11.0]])
TABLE = pa.table(dict(zip(tiny.ROW, X.T, strict=True)))


def packed(table: pa.Table, media: str, **options: Any) -> bytes:
    out = io.BytesIO()
    if media == CSV:
        pyarrow.csv.write_csv(table, out)
    else:
        pyarrow.parquet.write_table(table, out, **options)
    return out.getvalue()


def unpacked(raw: bytes, media: str) -> pa.Table:
    return pyarrow.csv.read_csv(io.BytesIO(raw)) if media == CSV else pyarrow.parquet.read_table(io.BytesIO(raw))


def post(served: Any, table: pa.Table, media: str, accept: str = "*/*", **said: Any) -> Any:
    headers = {"content-type": media, "accept": accept}
    return served.http.post("/v1/attributions", content=packed(table, media), params=said, headers=headers)


@pytest.mark.parametrize("sent", [CSV, PARQUET])
@pytest.mark.parametrize("wanted", [CSV, PARQUET, "application/json"])
def test_any_file_in_and_any_out_are_the_numbers_of_json(served, sent, wanted):
    body = {"feature_vector": [{"values": r} for r in X.tolist()], "seed": 3}
    ours = served.http.post("/v1/attributions", json=body).json()
    answer = post(served, TABLE, sent, f"text/html, {wanted};q=0.9", seed=3)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].partition(";")[0] == wanted
    if wanted == "application/json":
        assert answer.json()["attributions"] == ours["attributions"]
        return
    found, rows = unpacked(answer.content, wanted), ours["attributions"]
    for name in ("prediction", "base_value", "status"):
        assert found[name].to_pylist() == [row[name] for row in rows]
    for name in tiny.ROW:
        assert found[name].to_pylist() == [row["attribution_shares"][name] for row in rows]
        assert found[f"stderr_{name}"].to_pylist() == [row["stderr"][name] for row in rows]
        assert found[f"value_{name}"].to_pylist() == TABLE[name].to_pylist()


def test_sentences_in_two_languages(served):
    body = {"feature_vector": [{"values": tiny.ROW, "id": "rack 7"}, {"values": [-1, 1, 1]}], "seed": 3}
    share = served.http.post("/v1/attributions", json=body).json()["attributions"][0]["attribution_shares"]["busy"]
    for language, word in (("en", "more than usual"), ("zh", "\u591a")):
        told = served.http.post(f"/v1/attributions?language={language}", json=body, headers={"accept": "text/plain"})
        first, second = told.text.splitlines()
        assert word in first
        assert "rack 7" in first
        assert f"{share:.1f}" in first
        assert second
    by_header = {"accept": "text/plain", "accept-language": "zh-CN,en;q=0.5"}
    assert served.http.post("/v1/attributions", json=body, headers=by_header).text == told.text
    table = post(served, TABLE, CSV, "text/plain", language="en")
    assert len(table.text.splitlines()) == 3
    assert post(served, TABLE, CSV, "text/plain", language="xx").status_code == 400


def test_json_in_and_a_table_out(served):
    body = {"feature_vector": [{"values": tiny.ROW, "id": "a", "measured_w": 99.0}], "seed": 3}
    ours = served.http.post("/v1/attributions", json=body).json()["attributions"][0]
    found = unpacked(served.http.post("/v1/attributions", json=body, headers={"accept": CSV}).content, CSV)
    assert found["busy"].to_pylist() == [ours["attribution_shares"]["busy"]]
    assert found["label"].to_pylist() == ["a"]
    assert found["unexplained_w"].to_pylist() == [ours["unexplained_w"]]


def test_the_parquet_answer_is_one_that_a_picture_is_drawn_from(served, tmp_path):
    table = TABLE.append_column("id", pa.array(["a", "b", "c"]))
    place = tmp_path / "why.parquet"
    place.write_bytes(post(served, table, PARQUET).content)
    held = read_answer(place)
    assert held.labels == ("a", "b", "c")
    assert held.attribution.info.version == served.version
    assert held.attribution.data.tolist() == X.tolist()
    assert held.attribution.values.sum(axis=1) + held.attribution.bases == pytest.approx(held.attribution.prediction)
    assert held.unit("ghz") == "GHz"


@pytest.mark.parametrize("media", [CSV, PARQUET])
def test_columns_that_the_model_does_not_take_are_left_out_and_named(served, media):
    more = TABLE.append_column("work load", pa.array(["x", "y", "z"])).append_column("spare", pa.array([1, 2, 3]))
    answer = post(served, more, media)
    assert answer.status_code == 200, answer.text
    assert set(answer.headers["x-ascribe-left-out"].split(",")) == {"work%20load", "spare"}
    assert unpacked(answer.content, media).equals(unpacked(post(served, TABLE, media).content, media))


def test_a_bad_row_fails_alone(served):
    table = TABLE.set_column(1, "ghz", pa.array([2.5, None, 99.0]))
    for media in (CSV, PARQUET):
        found = unpacked(post(served, table, media).content, media)
        assert found["status"].to_pylist() == ["ok", "invalid", "invalid"]
        assert "ghz" in found["reason"][1].as_py()


@pytest.mark.parametrize("media", [CSV, PARQUET])
def test_a_column_of_empty_cells_is_a_missing_value_in_each_row(media):
    table = pa.table({"a": [1.0, 2.0], "m": pa.nulls(2)})
    rows = sheets.rows_of(sheets.READERS[media](packed(table, media), 8, ["a", "m"]))
    held = check(rows, [Feature("a"), Feature("m", missing=True)], "W")
    assert held.reasons == ["", ""]
    assert np.array_equal(held.X, [[1, np.nan], [2, np.nan]], equal_nan=True)
    assert all("m is null" in reason for reason in check(rows, [Feature("a"), Feature("m")], "W").reasons)


def test_an_id_of_digits_comes_back_as_it_was_written():
    rows = sheets.rows_of(sheets.read_csv(b"id,a\n007,1\n,2\n", 8))
    assert [row.id for row in rows] == ["007", ""]


def test_what_a_file_holds_as_rows(served):
    table = TABLE.append_column("kind", pa.array(["<img>", None, "c"])).append_column(
        "at", pa.array([0, 1, 2], pa.timestamp("s"))
    )
    headers = {"content-type": PARQUET}
    told = served.http.post("/v1/rows", content=packed(table, PARQUET), headers=headers).json()
    assert told["columns"] == [*tiny.ROW, "kind"]
    assert told["left_out"] == ["at"]
    assert told["rows"][0] == dict(zip(tiny.ROW, X[0].tolist(), strict=True)) | {"kind": "<img>"}
    assert told["rows"][1]["kind"] is None


@pytest.mark.parametrize(("media", "body", "status", "text"), [
    (CSV, b"", 400, "CSV"), (PARQUET, b"PAR1", 400, "Parquet"), (PARQUET, b"not one", 400, "Parquet"),
    (CSV, b"busy,ghz,misses\n", 400, "no rows"), (CSV, b"a,a\n1,2\n", 400, "twice"),
    (CSV, b"busy\n" + b"1\n" * 9, 413, "8"), (CSV, b"," * 40000 + b"\n1\n", 413, "columns"),
    (CSV, b"text\n" + b"x" * 2000 + b"\n", 413, "text"), ("text/html", b"<p>", 415, "text/csv"),
])  # fmt: skip
def test_what_is_no_such_file_says_so(served, media, body, status, text):
    answer = served.http.post("/v1/rows", content=body, headers={"content-type": media})
    assert (answer.status_code, text in answer.json()["detail"]) == (status, True), answer.text


def rows_in(served, table: pa.Table, media: str) -> Any:
    return served.http.post("/v1/rows", content=packed(table, media), headers={"content-type": media})


@pytest.mark.parametrize("media", [CSV, PARQUET])
def test_a_name_that_every_row_would_say_again_is_short(served, media):
    row = [[1.0, 2.0]]
    assert rows_in(served, pa.table(row, ["\u00e9" * 100]), media).status_code == 200
    answer = rows_in(served, pa.table(row, ["\u00e9" * 101]), media)
    assert (answer.status_code, "more than 200 bytes" in answer.json()["detail"]) == (400, True)


@pytest.mark.parametrize("media", [CSV, PARQUET])
def test_rows_of_a_small_file_are_not_laid_out_beyond_the_limit_of_bodies(served, media):
    names = [f"{k:03}" + "n" * 190 for k in range(42)]
    answer = rows_in(served, pa.table([[1.0] * 8] * 42, names), media)
    assert (answer.status_code, "limit of this server is 65536" in answer.json()["detail"]) == (413, True)
    assert rows_in(served, pa.table([[1.0] * 8] * 40, names[:40]), media).status_code == 200


def test_a_text_counts_as_often_as_rows_say_it(served):
    """Once in the file, 80 times in the answer."""
    same = pa.array(["y" * 1000] * 8).dictionary_encode()
    answer = rows_in(served, pa.table({str(k): same for k in range(10)}), PARQUET)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    lacking = pa.array(["y" * 1000, None], pa.string()).dictionary_encode()
    assert (
        rows_in(served, pa.table({"a": lacking, "b": pa.array([None, None], pa.string())}), PARQUET).status_code == 200
    )


def test_reading_a_file_needs_the_scope_of_explaining_and_takes_its_rate(tmp_path):
    given = {"explain": new_key(), "predict": new_key()}
    keys = tmp_path / "keys.toml"
    keys.write_text("\n".join(line(scope, key, [scope], 0.001) for scope, key in given.items()))
    with doors(tmp_path, api_keys=keys) as asked:

        def code(scope: str, body: bytes) -> int:
            headers = {"content-type": CSV, "x-api-key": given[scope]}
            return asked.http.post("/v1/rows", content=body, headers=headers).status_code

        assert code("predict", b"") == 403  # before it is looked into
        assert code("explain", b"busy\n1\n2\n") == 200
        assert code("explain", b"busy\n1\n2\n") == 429


def test_a_few_bytes_do_not_become_gigabytes():
    """A dictionary of one long text, named by every row: 400 rows x 4 MB if it were laid out."""
    table = pa.table({"x": pa.array(["y" * (4 << 20)] * 400).dictionary_encode()})
    raw = packed(table, PARQUET, compression="zstd")
    assert len(raw) < 100_000
    before = pa.total_allocated_bytes()
    with pytest.raises(InputError, match="limit is 1000"):
        sheets.read_parquet(raw, 4096)
    assert pa.total_allocated_bytes() - before < 64 << 20


def test_lists_and_blobs_are_not_read():
    table = pa.table({"l": [[1], [2]], "b": [b"x", b"y"], "x": [1.0, 2.0]})
    held = sheets.read_parquet(packed(table, PARQUET), 10)
    assert held.table.column_names == ["x"]
    assert held.left_out == ("l", "b")
