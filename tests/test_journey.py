"""The main job, end to end, as a user types it: telemetry, bundle, registry, gate, service, watts per counter."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from contextlib import suppress

import grpc
import polars as pl
import pytest
from xgboost import XGBRegressor

import ascribe as package
from ascribe.bundle.manifest import Manifest, digest
from ascribe.serve.wire import attribution_pb2 as wire
from ascribe.serve.wire import attribution_pb2_grpc as door
from tests.journey import FEATURES, TARGET, UNITS, ascribe, one_line, typed


@pytest.fixture(scope="module")
def shop(trained):
    """A registry with two versions: a good one in production, and an imported one that learnt shuffled targets."""
    place, good = trained
    registry = place / "registry"
    versions = [published(place / "good", registry, by=ascribe)]
    promoted = ascribe("promote", "node", versions[0], "--registry", registry)
    assert promoted.returncode == 0, promoted.stderr
    rows = pl.read_parquet(place / "rows.parquet")
    shuffled = rows.with_columns(pl.col(TARGET).shuffle(seed=1)).drop_nulls((*FEATURES, TARGET))
    shuffled.write_parquet(place / "shuffled.parquet")
    trees = XGBRegressor(n_estimators=20).fit(shuffled.select(FEATURES).to_pandas(), shuffled[TARGET].to_numpy())
    trees.save_model(place / "bad.ubj")
    bad = typed(
        "import", place / "bad.ubj", "--background", place / "shuffled.parquet", "--target", TARGET, "--units", UNITS,
        "--out", place / "bad",
    )  # fmt: skip
    assert bad.returncode == 0, bad.stderr
    versions.append(published(place / "bad", registry))
    return place, registry, versions, good


def published(bundle, registry, by=typed) -> str:
    done = by("publish", bundle, "--registry", registry, "--name", "node")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1  # the version alone
    return lines[0]


def test_training_says_what_it_did(shop):
    place, _, _, done = shop
    assert "3  impossible percentage in cpu_wio" in done.stderr
    assert "power_xgboost" in done.stdout
    assert "power_mlp" in done.stdout
    quarantine = pl.read_parquet(place / "good" / "quarantine.parquet")
    assert len(quarantine) == 3
    assert quarantine["reason"].str.contains("cpu_wio").all()
    assert (quarantine["cpu_wio"] > 100).all()  # as it came in


def test_the_bundle_says_where_it_comes_from(shop):
    place, _, (version, _), _ = shop
    manifest = Manifest.decode((place / "good" / "manifest.json").read_bytes())
    assert manifest.version() == version
    assert [f.name for f in manifest.feature_list] == list(FEATURES)
    assert {f.name: f.unit for f in manifest.feature_list}["mem_free"] == "KiB"
    assert manifest.lineage.data_sha256 == digest((place / "rows.parquet").read_bytes())
    assert manifest.lineage.rows["quarantine"] == 3
    for name, entry in manifest.files.items():
        assert digest((place / "good" / name).read_bytes()) == entry.sha256
    always = {"predict", "proposal", "energy", "scores", "background", "holdout", "surrogate", "amortized"}
    always |= {"mixture", "explain", "explain_fast"}
    assert always <= set(manifest.roles) <= always | {"control"}  # no polynomial may follow f


def test_the_published_bundle_opens_from_the_registry_too(shop):
    place, registry, (version, _), _ = shop
    rows = pl.read_parquet(place / "rows.parquet").head(3)
    here, there = package.open(place / "good"), package.open(f"{registry}#node")
    assert there.version == version
    assert there.predict(rows).tolist() == here.predict(rows).tolist()
    assert {"predict", "conditional"} <= here.offers


def test_explaining_a_file(shop, tmp_path):
    place = shop[0]
    rows = pl.read_parquet(place / "rows.parquet").head(12)
    broken = rows.with_columns(
        pl.when(pl.int_range(pl.len()) == 4).then(None).otherwise(pl.col("cpu_user")).alias("cpu_user")
    )
    broken.write_parquet(tmp_path / "in.parquet")
    done = ascribe("explain", place / "good", tmp_path / "in.parquet", "-o", tmp_path / "out.parquet", "--samples", 16)
    assert done.returncode == 0, done.stderr
    out = pl.read_parquet(tmp_path / "out.parquet")
    assert out["status"].to_list().count("invalid") == 1
    assert out["status"][4] == "invalid"
    assert "cpu_user" in out["reason"][4]
    good = out.filter(pl.col("status") != "invalid")
    gap = good["prediction"] - good["base_value"] - good.select(FEATURES).sum_horizontal()
    assert gap.abs().max() < 1e-4
    assert min(good.select(f"stderr_{name}" for name in FEATURES).min().row(0)) > 0
    again = typed("explain", place / "good", tmp_path / "in.parquet", "-o", tmp_path / "two.parquet", "--samples", 16)
    assert again.returncode == 0
    assert (tmp_path / "two.parquet").read_bytes() == (tmp_path / "out.parquet").read_bytes()


def test_groups_are_players(shop, tmp_path):
    place = shop[0]
    (tmp_path / "groups.toml").write_text('cpu = ["cpu_user", "cpu-cycles", "instructions"]\n')
    pl.read_parquet(place / "rows.parquet").head(2).write_csv(tmp_path / "in.csv")
    out = tmp_path / "out.parquet"
    done = typed("explain", place / "good", tmp_path / "in.csv", "-o", out, "--groups", tmp_path / "groups.toml")
    assert done.returncode == 0, done.stderr
    assert {"cpu", "cpu_wio", "interrupts", "mem_free"} < set(pl.read_parquet(out).columns)
    assert "cpu_user" not in pl.read_parquet(out).columns


def test_the_gate_refuses_what_learnt_shuffled_targets(shop):
    _, registry, (good, bad), _ = shop
    done = typed("promote", "node", bad, "--registry", registry)
    assert done.returncode == 3
    assert "production offers conditional attributions, the candidate does not" in done.stderr
    assert "power error on production's held-out rows is worse" in done.stderr
    assert "production of node stays as it is" in done.stderr
    assert good in ascribe("history", "node", "--registry", registry).stdout.splitlines()[0]


def test_promote_and_rollback(shop):
    place, registry, (good, _), _ = shop
    shutil.copytree(place / "good", place / "next")
    done = typed("compile", place / "next", "--seed", 1)  # another version
    assert done.returncode == 0, done.stderr
    version = published(place / "next", registry)
    canary = ("node", "--registry", registry, "--channel", "canary")
    done = typed("promote", *canary, version)
    assert done.returncode == 0, done.stderr
    assert "no earlier version" in one_line(ascribe("rollback", *canary))
    done = typed("promote", *canary, good, "--force")  # whatever the gate makes of two that are as good
    assert done.returncode == 0, done.stderr
    back = ascribe("rollback", *canary)
    assert back.stdout.strip() == version, back.stderr


def test_the_service_answers_both_doors_alike(shop):
    place, registry, (version, _), _ = shop
    row = pl.read_parquet(place / "rows.parquet").row(7, named=True)
    command = [sys.executable, "-m", "ascribe", "serve", "--registry", str(registry), "--model", "node"]
    command += ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        ready = next(json.loads(line) for line in server.stdout if '"ready"' in line)
        body = {"feature_vector": {"values": {n: row[n] for n in FEATURES}, "measured_w": row[TARGET]}, "samples": 16}
        request = urllib.request.Request(
            f"{ready['http']}/v1/attributions", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        rest = json.load(urllib.request.urlopen(request, timeout=60))
        vector = wire.FeatureVector(names=FEATURES, values=[row[n] for n in FEATURES], measured_w=row[TARGET])
        with grpc.insecure_channel(ready["grpc"]) as channel:
            ask = door.AttributionServiceStub(channel).GetAttribution
            rpc = ask(wire.AttributionRequest(feature_vector=[vector], samples=16), timeout=60)
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(120) == 0
    one, two = rest["attributions"][0], rpc.attributions[0]
    assert rest["version"] == rpc.version == version
    assert one["attribution_shares"] == dict(two.attribution_shares)
    assert (one["prediction"], one["base_value"]) == (two.prediction, two.base_value)
    assert one["stderr"] == dict(two.stderr)
    total = sum(one["attribution_shares"].values()) + one["base_value"] + one["unexplained_w"]
    assert total == pytest.approx(row[TARGET], abs=1e-4)
    assert sum(one["fraction"].values()) + one["base_fraction"] == pytest.approx(1, abs=1e-9)
    direct = package.open(place / "good").explain(pl.DataFrame([row]), samples=16)
    assert dict(zip(direct.features, direct.values[0].tolist(), strict=True)) == one["attribution_shares"]


def test_plot(shop, tmp_path):
    place = shop[0]
    done = ascribe(
        "plot", place / "good", place / "rows.parquet", "-o", tmp_path / "p.png", "--rows", "3,40", "--samples", 8
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_an_answer_is_said_kept_and_drawn(shop, tmp_path):
    place = shop[0]
    rows = pl.read_parquet(place / "rows.parquet").head(6)
    rows.with_columns(pl.lit("n").alias("node")).write_parquet(tmp_path / "in.parquet")
    done = typed(
        "explain", place / "good", tmp_path / "in.parquet", "-o", tmp_path / "a.parquet", "--samples", 8,
        "--name", "node", "--say", "en",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Rows answered: 6. ")
    done = typed("plot", tmp_path / "a.parquet", "--kind", "beeswarm", "-o", tmp_path / "p.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "p.html").read_text()
    assert all(name in page for name in FEATURES) and "conditional game" in page


TRAIN = "train --data {place}/rows.parquet --target powerWatts --out x"
EXPLAIN = "explain {place}/good {place}/rows.parquet -o o.parquet"
WRONG = [
    ("explain {place}/good {place}/none.parquet -o o.parquet", "there is no file"),
    ("explain {place}/good {place}/torn.parquet -o o.parquet", "cannot be read as parquet"),
    ("explain {place}/good {place}/poor.csv -o o.parquet", "there is no column cpu-cycles"),
    ("explain {place} {place}/rows.parquet -o o.parquet", "is not a bundle"),
    ("explain {place}/good {place}/rows.parquet -o o.txt", "name it .parquet"),
    (EXPLAIN + " --method magic", "unknown method 'magic'"),
    (EXPLAIN + " --budget 3", "at least 14 coalitions"),
    (EXPLAIN + " --samples 1", "samples must be at least 2"),
    (EXPLAIN + " --groups {place}/u.toml", "write each group as"),
    (TRAIN.replace("powerWatts", "powerwatts"), "there is no column powerwatts; the file has powerWatts"),
    (TRAIN.replace("rows", "torn"), "cannot be read as parquet"),
    (TRAIN + " --family z", "unknown family"),
    (TRAIN + " --holdout 2", "between 0 and 1"),
    (TRAIN + " --units {place}/u.toml", "unit 'Wats'"),
    ("promote node nope --registry {place}/registry", "has no version nope"),
    ("publish {place}/tampered --registry {place}/registry --name node", "not what its manifest says"),
    ("publish {place}/good --registry {place}/registry --name a/b", "cannot be a name"),
    ("serve --registry {place}/registry --model other", "no model 'other'"),
    ("serve --registry {place}/registry --model node@nowhere", "no channel 'nowhere'"),
    ("serve --registry ftp://x --model node", "use a directory"),
    ("nonsense", "No such command"),
    ("history --registry {place}/registry", "Missing argument 'name'. (see `ascribe history --help`)"),
    ("explain {place}/good {place} -o o.parquet", "is a folder"),
    ("import {place}/torn.ubj --background {place}/rows.parquet --out x", "there is no file"),
    ("import {place} --background {place}/rows.parquet --out x", "name the model's file in it"),
]


@pytest.mark.parametrize(("line", "says"), WRONG, ids=[says for _, says in WRONG])
def test_a_wrong_input_is_one_clear_line(shop, tmp_path, line, says):
    place = shop[0]
    (place / "torn.parquet").write_bytes((place / "rows.parquet").read_bytes()[:4000])
    (place / "poor.csv").write_text("cpu_user,cpu_wio\n1,2\n")
    (place / "u.toml").write_text('powerWatts = "Wats"\n')
    if not (place / "tampered").exists():
        (place / "tampered").mkdir()
        for file in (place / "good").iterdir():
            (place / "tampered" / file.name).write_bytes(file.read_bytes())
        raw = bytearray((place / "tampered" / "proposal.onnx").read_bytes())
        raw[len(raw) // 2] ^= 1
        (place / "tampered" / "proposal.onnx").write_bytes(raw)
    done = typed(*line.format(place=place).split(), cwd=tmp_path)
    assert says in one_line(done)


def test_debug_shows_where(tmp_path):
    done = ascribe("explain", tmp_path, tmp_path / "none.parquet", "-o", "o.parquet", "--debug")
    assert "Traceback" in done.stderr


def test_version():
    assert ascribe("--version").stdout.strip() == f"ascribe {package.__version__}"


def test_ctrl_c_while_the_command_is_loaded(tmp_path):
    """As Python raises it, in the middle of an import."""
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    command = [sys.executable, "-m", "ascribe", "--version"]
    told = os.environ | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(command, capture_output=True, text=True, env=told, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "ascribe: stopped\n")


def test_ctrl_c_stops_in_one_line(trained, tmp_path):
    command = [sys.executable, "-m", "ascribe", "explain", str(trained[0] / "good"), str(trained[0] / "rows.parquet")]
    command += ["-o", str(tmp_path / "o.parquet"), "--samples", "1024"]
    ours, theirs = os.openpty()  # at a terminal it shows when it is explaining
    running = subprocess.Popen(command, stderr=theirs)
    os.close(theirs)
    said = b""
    while b"explaining" not in said:
        said += os.read(ours, 4096)
    running.send_signal(signal.SIGINT)
    with suppress(OSError):  # the end of a terminal
        while more := os.read(ours, 4096):
            said += more
    assert running.wait(60) == 130
    assert said.decode().strip().splitlines()[-1].endswith("ascribe: stopped")  # behind signs that move the cursor
    assert b"Traceback" not in said
    assert not (tmp_path / "o.parquet").exists()
