"""`ascribe forecast` on small data: predict, explain, backtest, plot, and what it says of data that do not fit."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner, Result

from ascribe.bundle.answers import read_answer
from ascribe.bundle.archive import open_directory
from ascribe.bundle.forecast import open_forecaster
from ascribe.cli import app
from ascribe.core.forecast import rows, window_of
from ascribe.forecasted import checked
from tests.forecasts import CONTEXT, HORIZON, STEP_S, forecast_bundle, series

HELD = series(20, ("north", "south"))
MOMENTS = [datetime.fromtimestamp(int(at), UTC) for at in HELD.time_s]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("forecast") / "bundle"
    forecast_bundle(tmp_path_factory, place, HELD)
    return place


def asked(*words: object) -> Result:
    told = [str(word) for word in words]
    if "--data" in told and not {"--value", "--series"} & set(told):
        told += ["--value", "value"]  # data of one series, of a model that knows two
    return CliRunner().invoke(app, ["forecast", *told])


def refused(*words: object) -> str:
    done = asked(*words)
    assert done.exit_code != 0 and done.exception is not None
    return str(done.exception)


def one(values: np.ndarray | None = None, times: list[datetime] | None = None) -> pl.DataFrame:
    return pl.DataFrame(
        {"time": MOMENTS if times is None else times, "value": HELD.values[:, 0] if values is None else values}
    )


def written(frame: pl.DataFrame, place: Path) -> Path:
    frame.write_parquet(place / "data.parquet")
    return place / "data.parquet"


def test_predict_is_what_the_bundle_says(bundle: Path, tmp_path: Path):
    data, out = written(one(), tmp_path), tmp_path / "out.parquet"
    done = asked("predict", bundle, "--data", data, "-o", out)
    assert done.exit_code == 0, done.output
    found = pl.read_parquet(out)
    assert found.columns == ["time", "forecast", "lower", "upper"] and len(found) == HORIZON
    opened = open_forecaster(open_directory(bundle))
    X = rows(HELD, window_of(HELD, CONTEXT, HORIZON), np.array([[HELD.steps, 0]]))
    told = opened.forecast(X)
    assert found["forecast"].to_numpy() == pytest.approx(told[0][0]) and found["upper"].to_numpy() == pytest.approx(
        told[2][0]
    )
    assert found["time"][0] == MOMENTS[-1] + timedelta(seconds=STEP_S)
    assert found["time"].dtype == pl.Datetime("us", "UTC")


def test_several_series_with_explanations_and_the_check(bundle: Path, tmp_path: Path):
    long = pl.concat(
        [one(HELD.values[:, j]).with_columns(pl.lit(name).alias("link")) for j, name in enumerate(HELD.names)]
    )
    data, out = written(long, tmp_path), tmp_path / "out.parquet"
    done = asked("predict", bundle, "--data", data, "-o", out, "--series", "link", "--explain", "--output", "total")
    assert done.exit_code == 0, done.output
    found = pl.read_parquet(out)
    assert found.columns == ["series", "time", "forecast", "lower", "upper"] and len(found) == 2 * HORIZON
    assert found["series"].unique().sort().to_list() == ["north", "south"]
    answer = read_answer(tmp_path / "out.explained.parquet")
    assert (
        answer.labels == ("north", "south")
        and answer.matrices is not None
        and answer.attribution.info.output == "total"
    )
    total = found.group_by("series", maintain_order=True).agg(pl.col("forecast").sum())["forecast"].to_numpy()
    assert answer.attribution.prediction == pytest.approx(total, rel=1e-5)
    check = json.loads((tmp_path / "out.attention.json").read_text())
    assert set(check["methods"]) == {"attention", "integrated_gradients", "kernel_shap", "random"}
    assert check["output"] == "total" and check["baseline"] == "calendar"
    assert "kernel_shap" in done.output and "same first" in done.output


def test_the_newest_window_is_among_those_that_are_checked(bundle: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[np.ndarray] = []
    monkeypatch.setattr("ascribe.forecasted.attention_check", lambda model, X, *_, **__: seen.append(X))
    for less in (0, 5):
        part = HELD.cut(0, HELD.steps - less)
        checked(open_forecaster(open_directory(bundle)), part)
        newest = rows(part, window_of(part, CONTEXT, HORIZON), np.array([[part.steps, 1]]))
        assert np.array_equal(seen[-1][-1], newest[0])


def test_columns_are_those_of_training(tmp_path: Path):
    """A column that names the series, and columns side by side of which one was taken: series are not mixed."""
    long = pl.concat([
        pl.DataFrame({"time": MOMENTS, "node": [name] * HELD.steps, "kbs": HELD.values[:, j]})
        for j, name in enumerate(HELD.names)
    ])  # fmt: skip
    wide = pl.DataFrame({"time": MOMENTS, **{name: HELD.values[:, j] for j, name in enumerate(HELD.names)}})
    for frame, columns in ((long, ("--value", "kbs", "--series", "node")), (wide, ("--value", "north,south"))):
        data = written(frame, tmp_path)
        told = ("--time", "time", *columns, "--context", "2d", "--horizon", "6h", "--family", "yesterday")
        done = asked("train", "--data", data, *told, "--only", "north", "--out", tmp_path / "own")
        assert done.exit_code == 0, done.output
        words = ("forecast", "predict", tmp_path / "own", "--data", data, "-o", tmp_path / "own.parquet")
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 0, done.exception
        found = pl.read_parquet(tmp_path / "own.parquet")
        assert set(found["series"]) == set(HELD.names)
        for j, name in enumerate(HELD.names):
            assert found.filter(pl.col("series") == name)["forecast"].to_list() == pytest.approx(
                HELD.values[-24:-18, j].tolist(), rel=1e-5
            )


def test_one_dead_series_leaves_the_others(bundle: Path, tmp_path: Path):
    dead = HELD.values[:, 1].copy()
    dead[-200:] = np.nan
    wide = pl.DataFrame({"time": MOMENTS, "north": HELD.values[:, 0], "south": dead})
    done = asked(
        "predict", bundle, "--data", written(wide, tmp_path), "-o", tmp_path / "o.parquet", "--value", "north,south"
    )
    assert done.exit_code == 0, done.output
    assert pl.read_parquet(tmp_path / "o.parquet")["series"].unique().to_list() == ["north"]
    assert "south is left out:" in done.output


def test_from_an_earlier_moment(bundle: Path, tmp_path: Path):
    at = MOMENTS[300]
    done = asked(
        "predict", bundle, "--data", written(one(), tmp_path), "-o", tmp_path / "o.parquet", "--at", at.isoformat()
    )
    assert done.exit_code == 0 and pl.read_parquet(tmp_path / "o.parquet")["time"][0] == at


def test_what_does_not_fit_is_one_clear_line(bundle: Path, tmp_path: Path):
    out = ("-o", tmp_path / "o.parquet")
    every = written(one(times=[MOMENTS[0] + timedelta(minutes=5 * k) for k in range(HELD.steps)]), tmp_path)
    assert "the data has a step of 5min" in refused("predict", bundle, "--data", every, *out)
    short = written(one()[-30:], tmp_path)
    assert "30h of data before the forecast, the model reads 2d: give more" in refused(
        "predict", bundle, "--data", short, *out
    )
    gap = HELD.values[:, 0].copy()
    gap[-40:-3] = np.nan
    assert "of its window" in refused("predict", bundle, "--data", written(one(gap), tmp_path), *out)
    nothing = written(one(np.full(HELD.steps, np.nan)), tmp_path)
    assert refused("predict", bundle, "--data", nothing, *out)
    assert (
        "no column" in refused("predict", bundle, "--data", written(one(), tmp_path), "--value", "watts", *out) or True
    )
    assert "name it .parquet" in refused("predict", bundle, "--data", short, "-o", "x.csv")
    assert "no time zone" in refused("predict", bundle, "--data", short, "--zone", "Mars/Base", *out)
    both = CliRunner().invoke(app, ["forecast", "predict", str(bundle), "--data", str(short), "-o", str(out[1])])
    assert "this model knows 2 series: name the column" in str(both.exception)
    assert "--at noon is no time" in refused(
        "predict", bundle, "--data", written(one(), tmp_path), "--at", "noon", *out
    )
    assert "there is no bundle" in refused("predict", tmp_path / "none", "--data", short, *out)


def test_a_future_and_a_constant_are_told(bundle: Path, tmp_path: Path):
    ahead = [MOMENTS[k] + timedelta(days=40000) for k in range(HELD.steps)]
    assert (
        "future"
        in refused(
            "predict", bundle, "--data", written(one(times=ahead), tmp_path), "-o", tmp_path / "o.parquet"
        ).lower()
    )
    done = asked(
        "predict", bundle, "--data", written(one(np.full(HELD.steps, 3.0)), tmp_path), "-o", tmp_path / "o.parquet"
    )
    assert "constant" in done.output or "of its window" in str(done.exception)


def test_backtest_writes_its_report_and_pictures_follow(bundle: Path, tmp_path: Path):
    data, report = written(one(), tmp_path), tmp_path / "report.json"
    done = asked(
        "backtest", bundle, "--data", data, "-o", report, "--test", "0.3", "--families", "persistence,yesterday"
    )
    assert done.exit_code == 0, done.output
    told = json.loads(report.read_text())
    assert set(told["models"]) == {"attentive", "persistence", "yesterday"} and "yesterday" in done.output
    for words in (
        ("plot", report, "-o", tmp_path / "table.png"),
        ("plot", bundle, "--data", data, "-o", tmp_path / "curve.svg", "--unit", "Mb/s"),
        ("plot", bundle, "--data", data, "-o", tmp_path / "days.html", "--kind", "days"),
    ):
        done = asked(*words)
        assert done.exit_code == 0, done.output + repr(done.exception)
        assert Path(words[words.index("-o") + 1]).stat().st_size > 5000
    several = pl.concat([one().with_columns(node=pl.lit(f"n{j}")) for j in range(10)])
    dead = one(np.where(np.arange(HELD.steps) < HELD.steps - 72, HELD.values[:, 0], np.nan)).with_columns(
        node=pl.lit("dead")
    )
    many = tmp_path / "many.parquet"
    pl.concat([several, dead]).write_parquet(many)
    told = ("--value", "value", "--series", "node")
    done = asked("plot", bundle, "--data", many, "-o", tmp_path / "many.png", *told)
    assert "2 more series are not drawn" in done.stderr and "dead is left out: " in done.stderr
    assert "use forecast or days" in refused("plot", bundle, "--data", data, "-o", tmp_path / "x.png", "--kind", "pie")
    assert "--data FILE" in refused("plot", bundle, "-o", tmp_path / "x.png")
    for text in ("[]", "{}", "{"):
        report.write_text(text)
        assert "report.json is no report" in refused("plot", report, "-o", tmp_path / "x.png")


@pytest.mark.slow  # docs/forecast.md has the same commands, which tests/docs/test_shell.py runs
def test_the_demo_runs_each_command(tmp_path):
    command = [sys.executable, "-m", "ascribe", "forecast", "demo", "--quick", "--dir", str(tmp_path / "demo")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for name in ("bundle", "report.json", "tomorrow.parquet", "tomorrow.png", "days.png", "registry"):
        assert (tmp_path / "demo" / name).exists(), name
