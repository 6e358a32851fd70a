"""Compiled explanations as a user types them: train, compile, bench, explain by tier, publish."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime as ort
import polars as pl
import pytest
from msgspec.structs import replace

import ascribe as package
from ascribe.bundle.archive import open_directory, write_manifest
from ascribe.bundle.holdout import holdout
from ascribe.train.compile import Wanted, compile_bundle
from tests.journey import FEATURES, ascribe, one_line, typed


@pytest.fixture(scope="module")
def compiled(trained, tmp_path_factory) -> tuple[Path, Path]:
    """The trained bundle as if nobody had published it, its balanced tier compiled anew from the surrogate; and a few
    rows.
    """
    place = tmp_path_factory.mktemp("tiers")
    shutil.copytree(trained[0] / "good", place / "bundle")
    manifest = open_directory(place / "bundle").manifest
    untimed = {name: replace(tier, latency_ms={}) for name, tier in manifest.tiers.items() if tier.role}
    write_manifest(place / "bundle", replace(manifest, tiers=untimed, machine=""))
    alone = place / "alone.onnx"
    done = ascribe("compile", place / "bundle", "--value", "surrogate", "--budget", 64, "--standalone", alone)
    assert done.returncode == 0, done.stderr
    assert "values from surrogate, 64 coalitions read by 'exact'" in done.stderr  # all of 2^6
    assert done.stdout.strip() == open_directory(place / "bundle").manifest.version()
    pl.read_parquet(trained[0] / "rows.parquet").head(20).write_parquet(place / "rows.parquet")
    return place / "bundle", place / "rows.parquet"


def answered(bundle: Path, rows: Path, *words: object) -> pl.DataFrame:
    out = rows.parent / "out.parquet"
    done = typed("explain", bundle, rows, "-o", out, *words)
    assert done.returncode == 0, done.stderr
    found = pl.read_parquet(out)
    assert len(found) == 20
    gap = found["prediction"] - found["base_value"] - found.select(FEATURES).sum_horizontal()
    assert gap.abs().max() < 1e-3
    return found.with_columns(pl.lit(done.stderr).alias("said"))


def test_training_compiles_balanced_and_fast(trained):
    manifest = open_directory(trained[0] / "good").manifest
    assert {"balanced", "fast"} <= set(manifest.tiers)
    assert {manifest.tiers[name].role for name in ("balanced", "fast")} == {"explain", "explain_fast"}
    assert manifest.tiers["balanced"].parity < 1e-5
    assert "explain.onnx: values from" in trained[1].stderr
    assert "explain_fast.onnx: values from" in trained[1].stderr
    open_directory(trained[0] / "good").verify()


def test_compiling_again_leaves_the_other_files_alone(trained, compiled):
    for file in (trained[0] / "good").iterdir():
        if file.name not in ("manifest.json", "explain.onnx"):
            assert (compiled[0] / file.name).read_bytes() == file.read_bytes()


def test_the_graph_alone_and_in_its_folder_says_what_the_model_says(compiled):
    bundle, rows = compiled
    table = pl.read_parquet(rows)
    model = package.open(bundle)
    told = model.explain(table, tier="balanced")
    X = table.select(FEATURES).to_numpy().astype(np.float32)
    for path in (bundle / "explain.onnx", bundle.parent / "alone.onnx"):
        run = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        assert [i.name for i in run.get_inputs()] == ["x"]
        found = dict(zip([o.name for o in run.get_outputs()], run.run(None, {"x": X}), strict=True))
        ok = told.status != "invalid"
        size = np.abs(told.values[ok]).max()
        assert found["attribution"][ok] == pytest.approx(told.values[ok], abs=1e-5 * size)
        assert found["prediction"][ok] == pytest.approx(told.prediction[ok], rel=1e-6)


def told(compiled, **asked) -> tuple[np.ndarray, np.ndarray]:
    """Values (20, n), and what their errors are said to be."""
    answer = package.open(compiled[0]).explain(pl.read_parquet(compiled[1]), **asked)
    return answer.values, answer.stderr


@pytest.mark.parametrize(("tier", "far"), [("accurate", 1e-3), ("exact", 1e-6)])
def test_explaining_by_tier(compiled, tier, far):
    found = answered(*compiled, "--tier", tier)
    assert f"tier {tier}" in found["said"][0]
    exact, _ = told(compiled, tier="exact")
    assert np.abs(found.select(FEATURES).to_numpy() - exact).max() < far * exact.std()


def test_the_balanced_tier_is_exact_for_its_surrogate(compiled):
    """However good that is: it was trained for a second."""
    found = answered(*compiled, "--tier", "balanced")
    assert "tier balanced" in found["said"][0]
    exact, _ = told(compiled, value="surrogate", estimator="exact")
    assert np.abs(found.select(FEATURES).to_numpy() - exact).max() < 1e-5 * np.abs(exact).max()


def test_the_fast_tier_errs_as_it_says(compiled):
    """It says what it erred on held-out rows, which is much after a second of training."""
    found = answered(*compiled, "--tier", "fast")
    assert "tier fast" in found["said"][0]
    gap = found.select(FEATURES).to_numpy() - told(compiled, tier="exact")[0]
    _, said = told(compiled, tier="fast")
    assert np.sqrt((gap**2).mean()) < 2 * np.sqrt((said**2).mean())


def test_a_time_needs_a_measurement_and_then_chooses(compiled, tmp_path):
    bundle, rows = compiled
    done = typed("explain", bundle, rows, "-o", tmp_path / "o.parquet", "--max-latency-ms", 5)
    assert "run `ascribe bench DIR`, or name a tier" in one_line(done)
    shutil.copytree(bundle, tmp_path / "timed")
    versions = [typed("publish", tmp_path / "timed", "--registry", tmp_path / "registry", "--name", "node")
                for _ in range(2)]  # fmt: skip
    assert versions[0].returncode == 0, versions[0].stderr
    assert versions[0].stdout == versions[1].stdout  # measured once: one version
    manifest = open_directory(tmp_path / "timed").manifest
    assert versions[0].stdout.strip() == manifest.version()
    assert manifest.machine
    assert set(manifest.tiers) == {"fast", "balanced", "accurate", "exact"}
    assert all(tier.latency_ms["1"] > 0 for tier in manifest.tiers.values())
    assert {name for name, tier in manifest.tiers.items() if tier.role} == {"fast", "balanced"}
    assert "tier exact" in answered(tmp_path / "timed", rows, "--max-latency-ms", 1e9)["said"][0]
    done = typed("explain", tmp_path / "timed", rows, "-o", tmp_path / "o.parquet", "--max-latency-ms", 1e-6)
    assert "no tier answers 20 rows in 1e-06 ms: the fastest, " in one_line(done)


def test_bench_measures_every_tier_and_what_its_parts_would_take(compiled, tmp_path):
    place = tmp_path / "bundle"
    shutil.copytree(compiled[0], place)
    before = {file.name: file.read_bytes() for file in place.iterdir() if file.name != "manifest.json"}
    done = ascribe("bench", place, "-o", tmp_path / "bench.json")
    assert done.returncode == 0, done.stderr
    answer = json.loads((tmp_path / "bench.json").read_text())
    assert set(answer["tiers"]) == {"fast", "balanced", "accurate", "exact"}
    manifest = open_directory(place).manifest
    assert answer["version"] == manifest.version()
    assert {name: tier.latency_ms for name, tier in manifest.tiers.items()} == {
        name: told["latency_ms"] for name, told in answer["tiers"].items()
    }
    for tier in answer["tiers"].values():
        assert tier["latency_ms"]["1"] > 0
        assert tier["stderr"] >= 0
    assert set(answer["floors"]) == {"balanced"}
    floor = answer["floors"]["balanced"]
    assert set(floor["parts_ms"]) == {"predict", "surrogate"}
    assert floor["ratio"] == pytest.approx(floor["whole_ms"] / sum(floor["parts_ms"].values()))
    for tier in answer["tiers"]:
        assert tier in done.stdout
    assert all((place / name).read_bytes() == raw for name, raw in before.items())  # the manifest alone is new


WRONG = [
    ("compile {bundle} --budget 5", "at least 14 coalitions for 6 players"),
    (
        "explain {bundle} {rows} -o o.parquet --tier fast --max-latency-ms 3",
        "name a tier or a max_latency_ms, not both",
    ),
    ("explain {bundle} {rows} -o o.parquet --tier exact --method lime", "name a method or a tier, not both"),
]


@pytest.mark.parametrize(("line", "says"), WRONG, ids=[says for _, says in WRONG])
def test_a_wrong_wish_is_one_clear_line(compiled, tmp_path, line, says):
    bundle, rows = compiled
    before = {file.name: file.read_bytes() for file in bundle.iterdir()}
    assert says in one_line(typed(*line.format(bundle=bundle, rows=rows).split(), cwd=tmp_path))
    assert {file.name: file.read_bytes() for file in bundle.iterdir()} == before


def test_a_tier_compiled_by_hand_agrees_with_the_held_out_rows(compiled):
    """Fewer coalitions than there are: read by scales learnt from this model's own games."""
    bundle = compiled[0].parent / "few"
    shutil.copytree(compiled[0], bundle)
    said: list[str] = []
    compile_bundle(bundle, [Wanted("balanced", "surrogate", 32)], said.append)
    assert "32 coalitions read by 'learnt'" in said[0]
    held = open_directory(bundle)
    model = package.open(bundle)
    table = pl.DataFrame(dict(zip(FEATURES, holdout(held)[0][:40].T, strict=True)))
    few, whole = model.explain(table, tier="balanced"), package.open(compiled[0]).explain(table, tier="balanced")
    gap = few.values - whole.values
    assert np.sqrt(np.nanmean(gap**2)) < 0.3 * np.nanstd(whole.values)
    assert 0.1 < np.sqrt(np.nanmean(gap**2) / np.nanmean(few.stderr**2)) < 3
