"""`ascribe demo`: the whole journey on one machine, told as it goes. Nothing here that the other commands do not do."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import time
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import numpy as np
import polars as pl
import pyarrow.feather
from rich.console import Console
from rich.table import Table

from ascribe import api
from ascribe.bundle.archive import open_directory
from ascribe.console import bars, show_report, watcher
from ascribe.core.errors import InputError, ServiceError
from ascribe.report import plots
from ascribe.serve.wire import attribution_pb2 as wire
from ascribe.serve.wire import attribution_pb2_grpc as door
from ascribe.settings import has_display
from ascribe.train.definitions import POWER, read_definitions
from ascribe.train.ingest import ingest
from ascribe.train.lake.lake import Lake
from ascribe.train.pipeline import Report
from ascribe.train.runs.plan import Training
from ascribe.train.runs.run import RunOptions
from ascribe.train.runs.run import run as begin
from ascribe.train.runs.settings import work_folder
from ascribe.train.runs.snapshot import FILE
from ascribe.train.sources.decoding import Decoder
from ascribe.train.sources.files import Columns, FileSource

__all__ = ["run"]

ROOT = Path(__file__).resolve().parents[2]
DATA, UNITS = ROOT / "examples" / "data" / "xeon_e5_2650.parquet", ROOT / "examples" / "units_power.toml"
TARGET, NAME = "powerWatts", "node-power"
BUDGET, SAMPLES = 1024, 64
SECONDS = 60  # of each fit: the journey is to be seen, `ascribe train` takes the time that it needs
SHOWN = 10
PLAYED, BEHIND_S, MOVED_S = 4, 900, 60.0  # nodes that are played, seconds of them before now; until they move

say = Console()


def run(folder: Path, once: bool, quick: bool) -> None:
    """Ingest, train, publish, judge, promote, serve, ask over both doors, draw. Serves on at a terminal unless `once`.

    Done a second time in the same folder, what is there is not done again. Raises InputError where the example data is
    not at hand (a wheel has none), and what the steps raise.
    """
    if not DATA.is_file():
        raise InputError("the demo needs examples/data from the repository: clone it and run `make demo` there")
    folder.mkdir(parents=True, exist_ok=True)
    _head("1", f"Real telemetry into a lake: {DATA.name} (counters of a server, a row every 2 s, measured watts)")
    lake = _ingested(_sampled(folder) if quick else DATA, folder / "lake")
    _head("2", "The pipeline: cleaned rows, two power models and EmSHAP, ONNX, a registry, the gate, production")
    bundle, snapshot = _pipeline(lake, folder, quick)
    _head("3", "Served, and asked over HTTP and gRPC")
    busy, idle = _moments(snapshot, bundle)
    with _service(str(folder / "registry"), lake.uri) as (http, grpc_at), _replayed(snapshot, bundle, folder, lake.uri):
        rest = _ask_http(http, [busy, idle])
        rpc = _ask_grpc(grpc_at, [busy, idle])
        same = all(
            a["attribution_shares"] == dict(b.attribution_shares) and a["prediction"] == b.prediction
            for a, b in zip(rest["attributions"], rpc.attributions, strict=True)
        )
        say.print(f"HTTP {http} and gRPC {grpc_at} answered; {'equal bit for bit' if same else 'THEY DIFFER'}")
        if not same:
            raise ServiceError("REST and gRPC disagree: this should not happen, please report it")
        _show(rest)
        picture = _draw(bundle, [busy, idle], folder / "waterfall.png")
        say.print(f"\nwaterfall of the busy and the idle moment: {picture}")
        if has_display():
            webbrowser.open(picture.as_uri())
        _tiers(http)
        say.print(f"model card: {http}/v1/models/{NAME}", highlight=False)
        say.print(f"watts per counter of a node, now: {http}/v1/nodes/{busy['node']}/attribution", highlight=False)
        _moving(http)
        say.print(
            f"\nthe page: {http}/ (the nodes replay/1 to {PLAYED} are held-out rows of this server, played again)"
        )
        if not once and sys.stdout.isatty():
            say.print("serving on; Ctrl-C stops")
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                say.print("stopped")


def _ingested(data: Path, place: Path) -> Lake:
    """As `ascribe ingest --source FILE --lake DIR` does it; no server is needed."""
    lake = Lake(str(place))
    known = read_definitions(UNITS, TARGET)
    lake.define(known)
    counters = tuple(name for name in known.names if name != POWER)
    columns = Columns(("source", "workload"), "timestamp", TARGET, "id", counters, "s")
    total = ingest(FileSource(data, Decoder(), columns), lake, known)
    say.print(f"{total.rows} new rows, {total.quarantined} in quarantine; the lake holds {lake.count()}")
    for reason, count in total.reasons.items():
        say.print(f"  {count:6d}  {reason}", highlight=False)
    return lake


def _pipeline(lake: Lake, folder: Path, quick: bool) -> tuple[Path, Path]:
    """As `ascribe pipeline run` does it; a copy of the bundle that is in production, and the rows of its snapshot."""
    training = Training(max_seconds=None if quick else SECONDS, quick=quick)
    options = RunOptions(lake.uri, str(folder / "registry"), NAME, training=training)
    with bars() as shown:
        record = begin(options, lake, ("manual",), watcher(shown))
    for reason in record.reasons:
        say.print(f"gate: {reason}", highlight=False)
    if record.status != "promoted":
        raise ServiceError(f"the gate refused {record.version}: there is nothing to serve in {folder}")
    say.print(f"promoted: production is {record.version}", highlight=False)
    bundle = folder / "bundle"
    work = work_folder(lake.uri) / NAME
    shutil.copytree(work / record.stages["measure"].folder / "bundle", bundle, dirs_exist_ok=True)
    manifest = open_directory(bundle).manifest
    show_report(Report(record.version, manifest.family, manifest.metrics), bundle)
    return bundle, work / record.stages["snapshot"].folder / FILE


def _head(number: str, text: str) -> None:
    say.print(f"\n[bold]{number}. {text}[/bold]")


def _sampled(folder: Path) -> Path:
    """Every sixth row."""
    place = folder / "sample.parquet"
    pl.read_parquet(DATA).gather_every(6).write_parquet(place)
    return place


def _moments(data: Path, bundle: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A busy and an idle moment that no model was trained on: the 99th and 1st percentile of predicted watts among the
    held-out rows of the bundle that lie inside the training range.
    """
    model = api.open(bundle)
    names = model.features
    held = pyarrow.feather.read_table(io.BytesIO(model.bundle.read("holdout")))["row"].to_numpy()
    inside = pl.all_horizontal(pl.col(f.name).is_between(f.seen_low, f.seen_high) for f in model.schema)
    rows = pl.read_parquet(data)[held].filter(inside)
    rows = rows[np.argsort(model.predict(rows), kind="stable")]
    picked = []
    for word, share in (("busy", 0.99), ("idle", 0.01)):
        row = rows.row(round(share * (len(rows) - 1)), named=True)
        picked.append(
            {
                "id": f"{word}: {row['node'].partition('/')[2]} {row['timestamp']:%Y-%m-%d %H:%M:%S}",
                "node": row["node"],
                "values": {name: float(row[name]) for name in names},
                "units": {f.name: f.unit for f in model.schema},
                "measured_w": float(row[POWER]),
            }
        )
    return picked[0], picked[1]


@contextmanager
def _service(registry: str, lake: str) -> Iterator[tuple[str, str]]:
    """`ascribe serve` as a process of its own on free ports; yields both addresses."""
    command = [sys.executable, "-m", "ascribe", "serve", "--registry", registry, "--model", NAME, "--lake", lake]
    command += ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event.get("event") == "ready":
                say.print(f"service ready in {event['start_ms']} ms")
                yield event["http"], event["grpc"]
                return
        raise ServiceError("the service ended before it was ready: its log is above")
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def _replayed(data: Path, bundle: Path, folder: Path, lake: str) -> Iterator[None]:
    """As `ascribe ingest --source replay:FILE` does it, in a process of its own: the rows that no model was trained on,
    as several nodes, over and over. They go into a lake of their own, so that nothing is ever trained on them, and what
    the service looks at is left where it looks.
    """
    held = pyarrow.feather.read_table(io.BytesIO(api.open(bundle).bundle.read("holdout")))["row"].to_numpy()
    rows = folder / "replay.parquet"
    pl.read_parquet(data)[held].drop("id").write_parquet(rows)
    source = f"replay:{quote(str(rows))}?nodes={PLAYED}&behind_s={BEHIND_S}&again=1"
    command = [sys.executable, "-m", "ascribe", "ingest", "--source", source, "--lake", str(folder / "replayed")]
    command += ["--state", lake, "--group", "replay"]
    with (folder / "replay.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def _moving(http: str) -> None:
    """Two different moments of one node. Raises ServiceError where none comes."""
    seen: dict[str, int] = {}
    until = time.monotonic() + MOVED_S
    while time.monotonic() < until:
        with urllib.request.urlopen(f"{http}/v1/now", timeout=10) as answer:
            for node in json.load(answer)["nodes"]:
                if seen.setdefault(node["node"], node["timestamp_us"]) != node["timestamp_us"]:
                    return
        time.sleep(0.2)
    raise ServiceError(f"no node's moments move within {MOVED_S:.0f} s: replay.log in the demo's folder may say why")


def _ask_http(url: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    sent = [{name: value for name, value in row.items() if name != "node"} for row in rows]
    body = json.dumps({"feature_vector": sent, "budget": BUDGET, "samples": SAMPLES}).encode()
    request = urllib.request.Request(f"{url}/v1/attributions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def _ask_grpc(address: str, rows: list[dict[str, Any]]) -> Any:
    vectors = [
        wire.FeatureVector(
            id=row["id"], names=list(row["values"]), values=list(row["values"].values()),
            units=list(row["units"].values()), measured_w=row["measured_w"],
        )
        for row in rows
    ]  # fmt: skip
    with grpc.insecure_channel(address) as channel:
        ask = door.AttributionServiceStub(channel).GetAttribution
        return ask(wire.AttributionRequest(feature_vector=vectors, budget=BUDGET, samples=SAMPLES), timeout=120)


def _show(answer: dict[str, Any]) -> None:
    """Watts per counter of both moments, largest first."""
    table = Table("counter", *(a["id"] for a in answer["attributions"]), box=None)
    busy = answer["attributions"][0]["attribution_shares"]
    names = sorted(busy, key=lambda name: -abs(busy[name]))

    def row(label: str, cells: list[str]) -> None:
        table.add_row(label, *cells)

    for name in names[:SHOWN]:
        row(
            name,
            [
                f"{a['attribution_shares'][name]:+8.2f} W +- {a['stderr'].get(name, np.nan):.2f}"
                for a in answer["attributions"]
            ],
        )
    rest = [sum(a["attribution_shares"][name] for name in names[SHOWN:]) for a in answer["attributions"]]
    row(f"{len(names) - SHOWN} other counters", [f"{value:+8.2f} W" for value in rest])
    row("base (mean over training)", [f"{a['base_value']:8.2f} W" for a in answer["attributions"]])
    row("= predicted", [f"{a['prediction']:8.2f} W" for a in answer["attributions"]])
    row("unexplained", [f"{a['unexplained_w']:+8.2f} W" for a in answer["attributions"]])
    row("= measured", [f"{a['measured_w']:8.2f} W" for a in answer["attributions"]])
    say.print(table)
    say.print(
        f"{answer['method']}, {answer['game']} game, {answer['budget']} coalitions x {answer['samples']} completions; "
        f"{answer['timings_ms']['explain'] / len(answer['attributions']):.0f} ms a row"
    )


def _tiers(url: str) -> None:
    """What each tier takes here, as the server measured it."""
    with urllib.request.urlopen(f"{url}/v1/models/{NAME}", timeout=10) as answer:
        card = json.load(answer)
    table = Table("tier", "one row", "standard error", box=None)
    for tier, told in card["tiers"].items():
        ms = told["latency_ms"].get("1")
        error = "" if told["stderr"] is None else f"{told['stderr']:.2f} {card['unit']}"
        table.add_row(tier, "" if ms is None else f"{ms:.3g} ms", error)
    say.print(table)


def _draw(bundle: Path, moments: list[dict[str, Any]], place: Path) -> Path:
    model = api.open(bundle)
    X = np.array([[moment["values"][name] for name in model.features] for moment in moments])
    a = model.explain(X, budget=BUDGET, samples=SAMPLES)
    units = {f.name: f.unit for f in model.schema}
    measured = [moment["measured_w"] for moment in moments]
    plots.save(plots.waterfall(a, [0, 1], [m["id"] for m in moments], measured=measured, units=units), place)
    return place.resolve()
