"""Files that hold nothing to work on: each command says so in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ascribe.cli.app import app
from ascribe.core.errors import InputError
from tests.serve import tiny

HEAD = ",".join(tiny.ROW) + "\n"
ROW = ",".join(map(str, tiny.ROW.values())) + "\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle; files of a row, of names alone, of rows whose every cell is empty."""
    folder = tmp_path_factory.mktemp("rows")
    tiny.publish(folder)
    for name, text in (("one", HEAD + ROW), ("none", HEAD), ("empty", HEAD + 2 * ",,\n")):
        (folder / f"{name}.csv").write_text(text)
    return folder


def refused(place: Path, *words: str) -> str:
    done = CliRunner().invoke(app, [str(place / word) if "." in word or word == "bundle" else word for word in words])
    assert isinstance(done.exception, InputError), (done.output, done.exception)
    return str(done.exception)


@pytest.mark.parametrize("line", [
    "explain bundle none.csv -o a.parquet", "plot bundle none.csv -o p.png", "importance bundle none.csv",
    "compare bundle none.csv -o c.json", "probe bundle none.csv -o c.json",
    "explain bundle one.csv -o a.parquet --method kernel_shap --baseline none.csv",
])  # fmt: skip
def test_a_table_without_rows_is_refused(place: Path, line: str):
    assert "none.csv has no rows" in refused(place, *line.replace("none.csv", str(place / "none.csv")).split())


def test_rows_without_a_prediction_have_no_busiest(place: Path):
    assert "no row can be predicted" in refused(place, "plot", "bundle", "empty.csv", "-o", "p.png")
