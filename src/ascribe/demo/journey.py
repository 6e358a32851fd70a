"""The journey: telemetry, lake, pipeline, service, answers, picture, page."""

from __future__ import annotations

import io
import shutil
import signal
import sys
import time
import webbrowser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.feather

from ascribe import api
from ascribe.bundle.archive import open_directory
from ascribe.console import bars, show_report, watcher
from ascribe.core.errors import InputError, ServiceError
from ascribe.demo.asking import BUDGET, SAMPLES, ask_grpc, ask_http, show, show_tiers
from ascribe.demo.serving import PLAYED, moving, replayed, service
from ascribe.demo.settings import has_display
from ascribe.demo.told import say
from ascribe.report import plots
from ascribe.train.definitions import POWER, read_definitions
from ascribe.train.ingest.run import ingest
from ascribe.train.lake.lake import Lake
from ascribe.train.pipeline import Report
from ascribe.train.runs.plan import Training
from ascribe.train.runs.run import RunOptions
from ascribe.train.runs.run import run as begin
from ascribe.train.runs.snapshot import FILE
from ascribe.train.sources.decoding import Decoder
from ascribe.train.sources.files import Columns, FileSource

__all__ = ["run"]

ROOT = Path(__file__).resolve().parents[3]
DATA, UNITS = ROOT / "examples" / "data" / "xeon_e5_2650.parquet", ROOT / "examples" / "units_power.toml"
TARGET, NAME = "powerWatts", "node-power"
SECONDS = 60  # of each fit: the journey is to be seen, `ascribe train` takes the time that it needs


def run(folder: Path, once: bool, quick: bool) -> None:
    """Ingest, train, publish, judge, promote, serve, ask over both doors, draw. Serves on at a terminal unless `once`.

    Done a second time in the same folder, what is there is not done again. Raises InputError where the example data is
    not at hand (a wheel has none), and what the steps raise.
    """
    if not DATA.is_file():
        raise InputError("the demo needs examples/data from the repository: clone it and run `make demo` there")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends, too
    folder.mkdir(parents=True, exist_ok=True)
    _head("1", f"Real telemetry into a lake: {DATA.name} (counters of a server, a row every 2 s, measured watts)")
    lake = _ingested(_sampled(folder) if quick else DATA, folder / "lake")
    _head("2", "The pipeline: cleaned rows, two power models and EmSHAP, ONNX, a registry, the gate, production")
    bundle, snapshot = _pipeline(lake, folder, quick)
    _head("3", "Served, and asked over HTTP and gRPC")
    busy, idle = _moments(snapshot, bundle)
    with (
        service(str(folder / "registry"), NAME, lake.uri) as (http, grpc_at),
        replayed(snapshot, bundle, folder, lake.uri),
    ):
        rest = ask_http(http, [busy, idle])
        rpc = ask_grpc(grpc_at, [busy, idle])
        same = all(
            a["attribution_shares"] == dict(b.attribution_shares) and a["prediction"] == b.prediction
            for a, b in zip(rest["attributions"], rpc.attributions, strict=True)
        )
        say.print(f"HTTP {http} and gRPC {grpc_at} answered; {'equal bit for bit' if same else 'THEY DIFFER'}")
        if not same:
            raise ServiceError("REST and gRPC disagree: this should not happen, please report it")
        show(rest)
        picture = _draw(bundle, [busy, idle], folder / "waterfall.png")
        say.print(f"\nwaterfall of the busy and the idle moment: {picture}")
        if has_display():
            webbrowser.open(picture.as_uri())
        show_tiers(http, NAME)
        moving(http)
        if once or not sys.stdout.isatty():
            serve = f"ascribe serve --registry {folder / 'registry'} --model {NAME} --lake {lake.uri}"
            say.print(f"\nthe page, and all of it again: {serve}", highlight=False, soft_wrap=True)
        else:
            say.print(f"model card: {http}/v1/models/{NAME}", highlight=False)
            say.print(f"watts per counter of a node, now: {http}/v1/nodes/{busy['node']}/attribution", highlight=False)
            say.print(
                f"\nthe page: {http}/ (the nodes replay/1 to {PLAYED} are held-out rows of this server, played again)"
            )
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
    shutil.copytree(options.place / record.stages["measure"].folder / "bundle", bundle, dirs_exist_ok=True)
    manifest = open_directory(bundle).manifest
    show_report(Report(record.version, manifest.family, manifest.metrics), bundle)
    return bundle, options.place / record.stages["snapshot"].folder / FILE


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


def _draw(bundle: Path, moments: list[dict[str, Any]], place: Path) -> Path:
    model = api.open(bundle)
    X = np.array([[moment["values"][name] for name in model.features] for moment in moments])
    a = model.explain(X, budget=BUDGET, samples=SAMPLES)
    units = {f.name: f.unit for f in model.schema}
    measured = [moment["measured_w"] for moment in moments]
    plots.save(plots.waterfall(a, [0, 1], [m["id"] for m in moments], measured=measured, units=units), place)
    return place.resolve()
