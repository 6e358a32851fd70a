"""Telemetry in, a bundle out: one small run over real counters, and what is refused."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pyarrow.feather
import pytest
import torch

from ascribe.bundle.archive import Bundle, entry, open_directory
from ascribe.bundle.gate.verdict import judge
from ascribe.bundle.manifest import digest
from ascribe.bundle.runtime import load
from ascribe.core.errors import InputError, SchemaError
from ascribe.core.explainers import explain
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.train import pipeline
from ascribe.train.dataset import Dataset, Part
from ascribe.train.fitted import FittedPower
from ascribe.train.pipeline import Report, TrainOptions, _block_gain, _fit_power, _holdout, train
from ascribe.train.settings import computing
from ascribe.train.watch import Watcher

DATA = Path(__file__).parents[2] / "examples" / "data" / "xeon_e5_2650.parquet"
FEATURES = ("instructions", "cpu-cycles", "LLC-loads", "mem_free", "cpu_user", "cpu_system")
WORKLOADS = ("data_caching", "data_analytics", "media_streaming")
UNITS = """
powerWatts = "W"
instructions = "count"
cpu-cycles = "count"
LLC-loads = "count"
mem_free = "KiB"
cpu_user = { unit = "percent", group = "cpu" }
cpu_system = { unit = "percent", group = "cpu" }
"""
BROKEN = {  # position in the file -> first words of its reason
    5: "missing value in cpu_user",
    40: "missing value in powerWatts",
    111: "impossible percentage in cpu_user (140.0 percent, possible 0..100)",
    222: "out of range in instructions (-1.0 count, possible 0..inf)",
    600: "duplicate of an earlier row (same workload, seq)",
    601: "seq goes backward",
}


def telemetry() -> pl.DataFrame:
    """200 rows of each of three workloads, then six that are broken."""
    columns = ["workload", "seq", "powerWatts", *FEATURES, "numSockets"]
    table = pl.read_parquet(DATA, columns=columns)
    parts = [table.filter(pl.col("workload") == w)[::3][:200] for w in WORKLOADS]
    rows = pl.concat(parts).with_columns(numSockets=pl.lit(2))
    late = rows[[599]].with_columns(pl.col("seq") - 1)
    rows = pl.concat([rows, rows[[599]], late])
    broken = {"cpu_user": {5: None, 111: 140.0}, "powerWatts": {40: None}, "instructions": {222: -1.0}}
    return rows.with_columns(
        pl.Series(name, [at.get(k, v) for k, v in enumerate(rows[name])], rows[name].dtype)
        for name, at in broken.items()
    )


class Followed(Watcher):
    def __init__(self) -> None:
        self.stages: list[str] = []
        self.total = 0

    def progress(self, stage):
        self.stages.append(stage)

    def cleaned(self, cleaned, total, quarantine):
        self.total = total


@dataclass(frozen=True)
class Ran:
    options: TrainOptions
    sent: pl.DataFrame
    report: Report
    notes: Followed
    bundle: Bundle
    model: Model


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    place = tmp_path_factory.mktemp("run")
    sent = telemetry()
    sent.write_parquet(place / "telemetry.parquet")
    (place / "units.toml").write_text(UNITS)
    options = TrainOptions(
        place / "telemetry.parquet", "powerWatts", place / "out", (*FEATURES, "numSockets"), "seq", ("workload",),
        place / "units.toml", seed=7, max_seconds=1.0,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASCRIBE_DEVICE", "cpu")
        patch.setenv("ASCRIBE_THREADS", "1")
        notes = Followed()
        report = train(options, notes)
    bundle = open_directory(options.out)
    return Ran(options, sent, report, notes, bundle, load(bundle))


def test_everything_lies_in_one_folder_and_is_what_the_manifest_says(ran):
    manifest = ran.bundle.manifest
    assert {p.name for p in ran.options.out.iterdir()} == {*manifest.files, "manifest.json", "quarantine.parquet"}
    assert set(manifest.roles) - {"control"} == {  # no polynomial may follow f
        "predict",
        "proposal",
        "energy",
        "scores",
        "background",
        "holdout",
        "surrogate",
        "amortized",
        "mixture",
        "explain",
        "explain_fast",
    }
    for name, known in manifest.files.items():
        assert known == entry((ran.options.out / name).read_bytes())
    ran.bundle.verify()
    assert ran.report.version == manifest.version()
    assert ran.report.family == manifest.family in ("power_xgboost", "power_mlp")
    assert "quarantine.parquet" not in manifest.files


def test_the_manifest_names_units_bounds_and_what_was_seen(ran):
    features = ran.bundle.manifest.feature_list
    assert tuple(f.name for f in features) == FEATURES  # numSockets never varies
    assert [f.unit for f in features] == ["count", "count", "count", "KiB", "percent", "percent"]
    assert [(f.low, f.high) for f in features[-2:]] == [(0, 100), (0, 100)]
    assert [f.group for f in features] == ["", "", "", "", "cpu", "cpu"]
    assert (ran.bundle.manifest.target.name, ran.bundle.manifest.target.unit) == ("powerWatts", "W")
    rows = set(range(len(ran.sent))) - set(BROKEN)
    held = set(holdout(ran)["row"].to_pylist())
    seen = ran.sent[sorted(rows - held)]
    for f in features:
        assert (f.seen_low, f.seen_high) == (seen[f.name].min(), seen[f.name].max())  # of the training part alone


def test_lineage_tells_where_it_comes_from(ran):
    lineage = ran.bundle.manifest.lineage
    assert lineage.data == "telemetry.parquet"  # a name, not a place on this machine
    assert lineage.data_sha256 == digest(ran.options.data.read_bytes())
    assert (lineage.code_version, lineage.seed) == (version("ascribe"), 7)
    assert lineage.rows["file"] == len(ran.sent) == 602
    assert lineage.rows["quarantine"] == len(BROKEN)
    assert sum(lineage.rows[k] for k in ("fit", "validation", "holdout")) == 602 - len(BROKEN)
    for key, value in {
        "target": "powerWatts", "time": "seq", "group": ["workload"], "holdout": 0.3, "family": "best",
        "constant_features": ["numSockets"],
    }.items():  # fmt: skip
        assert lineage.options[key] == value
    assert sum(lineage.options["quarantined"].values()) == len(BROKEN)
    assert {"torch", "xgboost", "onnx", "onnxruntime", "numpy"} <= set(lineage.options["libraries"])
    assert str(ran.options.data.parent) not in ran.bundle.manifest.encode().decode()


def test_quarantine_holds_the_broken_rows_as_sent(ran):
    out = pl.read_parquet(ran.options.out / "quarantine.parquet")
    assert out["row"].to_list() == list(BROKEN)
    assert all(found.startswith(words) for found, words in zip(out["reason"], BROKEN.values(), strict=True))
    assert out.select(ran.sent.columns).equals(ran.sent[list(BROKEN)])
    assert ran.notes.total == 602


def holdout(ran: Ran):
    return pyarrow.feather.read_table(io.BytesIO(ran.bundle.read("holdout")))


def test_held_out_rows_are_the_last_of_each_workload(ran):
    table = holdout(ran)
    assert table.column_names == [*FEATURES, "powerWatts", "row"]
    assert table.num_rows == ran.bundle.manifest.lineage.rows["holdout"] <= pipeline.HOLDOUT_ROWS
    held = set(table["row"].to_pylist())
    assert not held & set(BROKEN)
    good = [k for k in range(len(ran.sent)) if k not in BROKEN]
    for w in WORKLOADS:
        mine = [k for k in good if ran.sent["workload"][k] == w]
        last = [k for k in mine if k in held]
        assert last == mine[-len(last) :]
        assert len(last) == pytest.approx(0.3 * len(mine), abs=1)
    for k, watts in zip(table["row"].to_pylist(), table["powerWatts"].to_pylist(), strict=True):
        assert watts == ran.sent["powerWatts"][k]


def test_at_most_two_thousand_rows_are_held_out_evenly():
    part = Part(np.arange(10_000.0).reshape(5000, 2), np.arange(5000.0), np.arange(5000))
    table = pyarrow.feather.read_table(io.BytesIO(_holdout(part, ["a", "b"], "y")))
    rows = np.array(table["row"].to_pylist())
    assert len(rows) == len(set(rows)) == 2000
    assert (rows[0], rows[-1]) == (0, 4999)
    assert set(np.diff(rows)) <= {2, 3}


def test_the_bundle_opens_as_it_will_be_served(ran):
    assert {"predict", "background", "conditional"} <= ran.model.offers
    assert ran.model.unit == "W"
    X = np.column_stack([holdout(ran)[name].to_numpy() for name in FEATURES])
    watts = ran.model.predict(X)
    assert watts.shape == (len(X),)
    assert np.corrcoef(watts, holdout(ran)["powerWatts"].to_numpy())[0, 1] > 0.8
    assert ran.model.predict(X[:3]) == pytest.approx(watts[:3], rel=1e-5)
    assert 64 < ran.model.base_value < 200


def test_attributions_add_up(ran):
    X = np.column_stack([holdout(ran)[name].to_numpy() for name in FEATURES])[::40]
    for method in ("conditional_shap", "kernel_shap"):
        found = explain(ran.model, X, method, Options(samples=16))
        assert set(found.status) <= {"ok", "out_of_domain"}
        total = found.values.sum(axis=1) + found.base_value
        assert total == pytest.approx(ran.model.predict(X).astype(float), rel=1e-5)


def test_the_energy_is_named_and_decided(ran):
    """P6: no silent fallback. The manifest says which estimator serves and why."""
    held = ran.bundle.manifest.conditional
    assert held.method == "emshap"
    assert held.weighting in ("proposal", "energy")
    assert "MSE_v on rows that EmSHAP was not fitted on: proposal" in held.reason
    numbers = ran.bundle.manifest.metrics["conditional"]
    gained = numbers["mse_v_energy"] < numbers["mse_v_proposal"]
    assert held.weighting == "proposal" or gained
    assert 0.4 < numbers["low_ess"] <= 1
    assert ran.model.conditional.weighting == held.weighting


def test_the_metrics_are_those_of_the_bundle(ran):
    X = np.column_stack([holdout(ran)[name].to_numpy() for name in FEATURES])
    y = holdout(ran)["powerWatts"].to_numpy()
    metrics = ran.bundle.manifest.metrics
    assert metrics["holdout"]["mae"] == pytest.approx(np.abs(ran.model.predict(X) - y).mean(), rel=1e-4)
    assert metrics["holdout"] == pytest.approx(metrics["families"][ran.report.family]["holdout"])
    assert set(metrics["families"]) == {"power_xgboost", "power_mlp"}
    assert metrics["families"]["power_mlp"]["choice"].endswith(f"{ran.report.family} serves")
    assert json.loads(json.dumps(ran.report.metrics)) == metrics
    assert ran.notes.stages == [
        "power_xgboost",
        "power_mlp",
        "EmSHAP",
        "surrogate",
        "values to learn from",
        "surrogate, taught",
        "one pass",
        "one pass, taught",
    ]


def test_the_gate_can_judge_what_training_writes(ran):
    verdict = judge(ran.bundle, None)
    assert verdict.numbers["candidate"]["mae"] == pytest.approx(ran.report.metrics["holdout"]["mae"], rel=1e-4)
    assert [r for r in verdict.reasons if r.startswith("attributions add up within")]
    assert [r for r in verdict.reasons if r.startswith("R2 0.")]


# what is refused


def options_of(tmp_path: Path, **changes) -> TrainOptions:
    if not (tmp_path / "telemetry.parquet").exists():
        telemetry().write_parquet(tmp_path / "telemetry.parquet")
    made = TrainOptions(tmp_path / "telemetry.parquet", "powerWatts", tmp_path / "out", FEATURES, "seq", ("workload",))
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"family": "power_forest"}, InputError, "unknown family 'power_forest': use best, power_xgboost, power_mlp"),
        ({"target": "watts"}, SchemaError, "there is no column watts"),
        ({"time": "clock"}, SchemaError, "there is no column clock"),
        ({"group": ("node",)}, SchemaError, "there is no column node"),
        ({"features": ("instructions", "ipc")}, SchemaError, "there is no column ipc"),
        ({"features": ("instructions",)}, InputError, "at least two different features"),
        ({"features": ("instructions", "instructions")}, InputError, "at least two different features"),
        ({"features": ("instructions", "numSockets")}, InputError, "only the feature instructions is left"),
        ({"features": ("instructions", "powerWatts")}, InputError, "powerWatts cannot be a feature and a target"),
        ({"features": ("instructions", "seq")}, InputError, "seq cannot be a feature and a target, time or group"),
        ({"holdout": 1.0}, InputError, "must lie between 0 and 1"),
        ({"data": Path("none.parquet")}, InputError, "there is no file none.parquet"),
        ({"data": Path("table.xlsx")}, InputError, "table.xlsx is neither"),
        ({"units": Path("none.toml")}, InputError, "there is no units file"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_written(tmp_path, changes, error, words):
    with pytest.raises(error, match=words) as caught:
        train(options_of(tmp_path, **changes))
    assert "\n" not in str(caught.value)
    out = tmp_path / "out"
    assert {p.name for p in out.glob("*")} <= {"quarantine.parquet"}


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_broken_file_is_said_in_one_line(tmp_path, share):
    options = options_of(tmp_path)
    raw = options.data.read_bytes()
    options.data.write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(InputError, match=r"cannot be read as parquet .*: is it complete\?") as caught:
        train(options)
    assert "\n" not in str(caught.value)
    assert not options.out.exists()


def test_a_column_that_is_there_twice_is_named(tmp_path):
    (tmp_path / "twice.csv").write_text("a,b,a\n1,2,3\n")
    with pytest.raises(InputError, match=r"twice\.csv has column 'a' more than once: rename"):
        train(options_of(tmp_path, data=tmp_path / "twice.csv"))


def test_without_names_every_numeric_column_that_is_free_is_a_feature(tmp_path):
    cleaned, target = pipeline.prepare(options_of(tmp_path, features=None), Watcher())
    assert tuple(f.name for f in cleaned.features) == FEATURES
    assert cleaned.constant == ("numSockets",)
    assert target.name == "powerWatts"


def test_torchs_threads_are_as_the_settings_say_while_it_computes(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setenv("ASCRIBE_THREADS", str(before + 1))
    monkeypatch.setenv("ASCRIBE_DEVICE", "cuda:1")

    def fails() -> None:
        with computing() as device:
            assert (device, torch.get_num_threads()) == ("cuda:1", before + 1)
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert torch.get_num_threads() == before


# the choice of family


def chosen(monkeypatch, errors: dict[str, np.ndarray], **changes) -> tuple[FittedPower, dict]:
    """Families with given errors on the validation rows, in the table's order."""
    part = Part(np.zeros((300, 2)), 100 + 10 * np.random.default_rng(1).standard_normal(300), np.arange(300))

    def family(name: str):
        return lambda data, *_: FittedPower(name, name.encode(), part.y + errors[name], {}, {})

    monkeypatch.setattr(pipeline, "POWER_FAMILIES", {name: family(name) for name in errors})
    monkeypatch.setattr(pipeline, "graph_predict", lambda graph, name: lambda X: np.zeros(len(X), np.float32))
    options = SimpleNamespace(**({"family": "best", "seed": 0} | changes))
    return _fit_power(Dataset(part, part, part), options, "cpu", Watcher())


NOISE = np.random.default_rng(0).standard_normal((2, 300))


@pytest.mark.parametrize(
    ("trees", "network", "wanted"),
    [
        (NOISE[0], NOISE[0], "power_xgboost"),  # a tie goes to the trees
        (NOISE[0], NOISE[1], "power_xgboost"),  # as good up to chance
        (NOISE[0], 0.98 * NOISE[1], "power_xgboost"),  # better, within chance
        (NOISE[0], 2 * NOISE[1], "power_xgboost"),
        (2 * NOISE[0], NOISE[1], "power_mlp"),
    ],
    ids=["tie", "chance", "within chance", "worse", "better"],
)
def test_a_later_family_serves_only_if_it_is_better_beyond_chance(monkeypatch, trees, network, wanted):
    power, report = chosen(monkeypatch, {"power_xgboost": trees, "power_mlp": network})
    assert power.family == wanted
    assert report["power_mlp"]["choice"].endswith(f"{wanted} serves")
    assert report["power_xgboost"]["validation"]["mae"] == pytest.approx(np.abs(trees).mean())
    assert "choice" not in report["power_xgboost"]


def test_a_family_asked_for_by_name_serves_whatever_it_is_worth(monkeypatch):
    errors = {"power_xgboost": NOISE[0], "power_mlp": 9 * NOISE[1]}
    power, report = chosen(monkeypatch, errors, family="power_mlp")
    assert power.family == "power_mlp"
    assert set(report) == {"power_mlp"}


def test_blocks_carry_the_error_of_rows_that_share_theirs():
    """300 rows in runs of ten that err alike: as much is known as from 30 numbers."""
    run = np.repeat(np.random.default_rng(0).standard_normal(30), 10)
    y = np.zeros(300)
    gain, error = _block_gain(y, run, np.zeros(300))
    assert gain == pytest.approx((run**2).mean())
    assert error == pytest.approx((run[::10] ** 2).std(ddof=1) / np.sqrt(30))
    naive = (run**2).std(ddof=1) / np.sqrt(300)
    assert error > 3 * naive
    assert _block_gain(y, run, run) == (0, 0)
    assert _block_gain(y[:12], run[:12], np.zeros(12))[1] > 0  # fewer rows than blocks
