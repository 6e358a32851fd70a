"""What `ascribe federated score` writes: a thousand rows an exchange, and a file that is drawn like any answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from ascribe.bundle.answers import read_answer
from ascribe.bundle.scored_answers import write_scored
from ascribe.cli import app
from ascribe.core.errors import InputError
from ascribe.core.federated import Ask, Party, Pipeline, Reply, Step, Table, answer
from ascribe.core.federated.components import LinearModel
from ascribe.report.kinds import draw, fitting
from ascribe.serve.federated.link import Unanswered
from ascribe.serve.federated.opening import Guest
from ascribe.serve.federated.scoring import score_file
from ascribe.serve.federated.settings import PartySettings

from .servers import Rows, bundled, hosting, proxied
from .splits import split
from .test_gathering import asks


@pytest.fixture(scope="module")
def scored(tmp_path_factory) -> tuple[Path, list[int]]:
    """The file of 2,300 rows, one of which the host does not know; and the sizes of the questions."""
    folder, world = tmp_path_factory.mktemp("scored"), split(1)
    bundled(world.halves["guest"], folder / "guest")
    own, theirs = world.of("guest"), world.of("bank")
    names = [f"p{i}" for i in range(2300)]
    mine = [own[f"r{i % 200}"] for i in range(2300)]
    columns = {"id": names, **{c: [row[c] for row in mine] for c in ("a", "c", "e")}}
    pa.csv.write_csv(pa.table(columns), folder / "rows.csv")
    rows = Rows({name: theirs[f"r{i % 200}"] for i, name in enumerate(names)})
    del rows.rows["p7"]
    out = folder / "scores.parquet"
    with hosting(world.halves["bank"], rows) as at, proxied(at) as proxy:
        command = ["federated", "score", "--guest", str(folder / "guest"), "--features", str(folder / "rows.csv"),
                   "--host", f"bank={proxy.at}", "--explain", "-o", str(out)]  # fmt: skip
        app(command, standalone_mode=False)
        return out, asks(proxy)


def test_a_large_file_is_asked_in_thousands(scored):
    path, questions = scored
    assert questions == [1000, 1000, 300]
    table = pyarrow.parquet.read_table(path)
    assert table.column_names == ["id", "margin", "score", "base_value", "a", "c", "e", "bank", "warnings"]
    world, margin = split(1), np.array(table["margin"].to_pylist(), float)
    known = np.resize(world.margin, 2300)
    assert np.isnan(margin[7])
    assert "2113" in table["warnings"][7].as_py()
    np.testing.assert_allclose(np.delete(margin, 7), np.delete(known, 7), atol=1e-5)


def test_the_file_is_an_answer_with_hosts_beside_the_guests_columns(scored):
    answer, world = read_answer(scored[0]), split(1)
    a = answer.attribution
    assert a.features == ("a", "c", "e", "bank")
    assert (answer.columns, a.info.method, a.info.unit) == (("a", "c", "e"), "federated_shap", "log-odds")
    good = np.arange(2300) != 7
    np.testing.assert_allclose(a.base_value + a.values[good].sum(axis=1), a.prediction[good], atol=1e-9)
    np.testing.assert_allclose(a.data[:200], world.X[:, [0, 2, 4]], rtol=1e-6)
    assert answer.label(3) == "p3"
    assert answer.shown(0, "bank") == ""
    assert answer.shown(0, "a") != ""
    assert a.status[7] == "invalid"
    assert {"waterfall", "force", "beeswarm", "bar", "heatmap", "dependence"} <= set(fitting(answer))


@pytest.mark.parametrize("kind", ["waterfall", "force", "beeswarm", "bar"])
def test_pictures_name_the_host_beside_the_columns(scored, tmp_path, kind):
    out = tmp_path / f"{kind}.svg"
    app(["plot", str(scored[0]), "--kind", kind, "-o", str(out)], standalone_mode=False)
    text = out.read_text()
    assert ">bank" in text
    assert any(f">{name}" in text for name in ("a", "c", "e"))


def test_a_file_without_values_is_no_answer_and_a_changed_one_is_refused(scored, tmp_path):
    table = pyarrow.parquet.read_table(scored[0])
    write_scored({"id": ["a"], "margin": [1.0], "score": [0.7], "warnings": [""]}, None, tmp_path / "bare.parquet")
    with pytest.raises(InputError, match="holds no answer"):
        read_answer(tmp_path / "bare.parquet")
    for i, changed in enumerate((table.drop_columns(["bank"]), table.slice(0, 10))):
        pyarrow.parquet.write_table(changed, tmp_path / f"{i}.parquet")
        with pytest.raises(InputError, match="an answer that was changed"):
            read_answer(tmp_path / f"{i}.parquet")


def test_without_the_guests_own_values_pictures_have_no_colours(scored, tmp_path):
    table = pyarrow.parquet.read_table(scored[0])
    told = {k: v for k, v in table.schema.metadata.items() if k != b"ascribe.data"}
    pyarrow.parquet.write_table(table.slice(0, 50).replace_schema_metadata(told), tmp_path / "grey.parquet")
    answer = read_answer(tmp_path / "grey.parquet")
    assert np.isnan(answer.attribution.data).all()
    for kind in ("beeswarm", "waterfall", "force"):
        draw(answer, kind)


class Faltering:
    """A linear host that tells its columns, and misses its first question."""

    host, by_column, columns, bound, max_rows = "host:2", True, {}, True, 2

    def __init__(self, half: Party) -> None:
        self.half, self.asked = half, 0

    async def bind(self, request_id: str, limit_s: float) -> None:
        pass

    async def ask(self, asked: Ask, request_id: str, limit_s: float) -> Reply:
        self.asked += 1
        if self.asked == 1:
            raise Unanswered(105, "host:2 did not answer")
        return answer(self.half, replace(asked, columns=True), Table.of_rows([{"y": 1, "z": 2}] * len(asked.ids)))

    async def close(self) -> None:
        pass


def test_rows_that_a_linear_host_by_column_missed_stand_beside_the_others(tmp_path):
    names = ("guest:1", "host:2")
    guest, host = (
        Party(
            name,
            Pipeline((Step("lr", LinearModel(name, names, columns, np.ones((2, 1)), np.ones(1))),)),
            "m",
            columns,
            shares_columns=True,
        )
        for name, columns in zip(names, (("a", "b"), ("y", "z")), strict=True)
    )
    (tmp_path / "rows.csv").write_text("id,a,b\n1,1,2\n2,1,2\n3,1,2\n")
    opened = Guest(guest, [Faltering(host)], {"host:2": "bank"})
    found = asyncio.run(score_file(opened, tmp_path / "rows.csv", PartySettings(), explain=True))
    assert found.answered == 1
    assert found.explained.features == ("a", "b", "bank.y", "bank.z")
    assert found.explained.base_value == 2.0
    assert [np.isnan(found.columns[name]).tolist() for name in ("a", "bank.z")] == [[True, True, False]] * 2
    shown = sum(found.columns[name][2] for name in ("base_value", "a", "b", "bank.y", "bank.z"))
    assert shown == pytest.approx(found.columns["margin"][2])
