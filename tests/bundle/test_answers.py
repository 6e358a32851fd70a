"""An answer file gives back what was explained, to the last bit."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ascribe.bundle.answers import KEY, read_answer, table_of, write_answer
from ascribe.core.answer import Answer
from ascribe.core.errors import InputError
from ascribe.core.features import Feature
from tests.report.answers import image, looked, seen, table, text
from tests.report.made import power

ANSWERS = {
    "table": table, "image": image, "segments": lambda: image(True), "text": text, "attention": looked, "maps": seen,
    "unanswered": lambda: Answer(power()),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_read_is_what_was_written(name, tmp_path):
    answer = ANSWERS[name]()
    back = read_answer(write_answer(answer, tmp_path / "deep" / "a.parquet"))
    a, b = answer.attribution, back.attribution
    for part in ("values", "stderr", "prediction", "ess", "data", "bases"):
        np.testing.assert_array_equal(getattr(a, part), getattr(b, part), err_msg=part)
    assert b.info == replace(a.info, timings={})
    assert (b.features, b.reasons, back.features, back.labels) == (
        a.features,
        a.reasons,
        answer.features,
        answer.labels,
    )
    assert b.status.tolist() == a.status.tolist()
    assert np.array_equal(a.base_value, b.base_value, equal_nan=True)
    if a.layout is not None:
        assert b.layout == a.layout
    assert (a.segments is None) == (b.segments is None)
    if a.segments is not None:
        np.testing.assert_array_equal(a.segments, b.segments)
    if answer.matrices is not None:
        assert back.matrices.names == answer.matrices.names
        for w, v in zip(answer.matrices.weights, back.matrices.weights, strict=True):
            np.testing.assert_array_equal(w, v)
        np.testing.assert_array_equal(answer.matrices.rollout, back.matrices.rollout)
    for layer, maps in answer.maps.items():
        np.testing.assert_array_equal(back.maps[layer], maps)


def test_columns_are_for_people_too():
    held = table_of(table())
    assert held.column_names[:3] == ["prediction", "base_value", "load"]
    assert {"stderr_load", "value_load", "ess", "status", "reason"} <= set(held.column_names)
    np.testing.assert_array_equal(held["value_heat"].to_numpy(), table().attribution.data[:, 1])
    assert table_of(text())["words"].to_pylist()[0][:3] == ["the", "good", "film"]


def test_names_that_meet_the_files_own_keep_their_values(tmp_path):
    a = table().attribution
    names = ("prediction", "stderr_status", "status", "value_status", "ess")
    told = replace(a, features=names, columns=names)
    back = read_answer(write_answer(Answer(told, tuple(map(Feature, names))), tmp_path / "a.parquet"))
    np.testing.assert_array_equal(back.attribution.values, a.values)
    np.testing.assert_array_equal(back.attribution.stderr, a.stderr)
    np.testing.assert_array_equal(back.attribution.data, a.data)
    np.testing.assert_array_equal(back.attribution.prediction, a.prediction)
    assert back.attribution.status.tolist() == a.status.tolist()


def test_the_same_answer_has_the_same_bytes(tmp_path):
    a = table()
    later = replace(a, attribution=replace(a.attribution, info=replace(a.attribution.info, timings={"explain": 9.0})))
    one, two = (write_answer(x, tmp_path / f"{k}.parquet").read_bytes() for k, x in enumerate((a, later)))
    assert one == two


def test_a_file_that_is_no_answer_or_was_changed_is_refused_in_one_line(tmp_path):
    pq.write_table(pa.table({"x": [1.0]}), tmp_path / "plain.parquet")
    with pytest.raises(InputError, match="holds no answer: write one with"):
        read_answer(tmp_path / "plain.parquet")
    held = table_of(table())
    pq.write_table(held.drop_columns(["load"]), tmp_path / "less.parquet")
    with pytest.raises(InputError, match="was changed"):
        read_answer(tmp_path / "less.parquet")
    told = json.loads(held.schema.metadata[KEY]) | {"format": 99}
    pq.write_table(held.replace_schema_metadata({KEY: json.dumps(told)}), tmp_path / "new.parquet")
    with pytest.raises(InputError, match="format 99"):
        read_answer(tmp_path / "new.parquet")
