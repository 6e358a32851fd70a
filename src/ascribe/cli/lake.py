"""Commands on telemetry: ingest, and what the lake holds."""

from __future__ import annotations

import signal
import threading
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from ascribe.cli.options import Lake, listed
from ascribe.console import bars, err, out, show_lake
from ascribe.core.errors import InputError, extra

__all__ = ["add_to"]

NEEDS = "deltalake and confluent-kafka"

lake_app = typer.Typer(help="What the lake holds, and its upkeep.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """`ingest`, and `lake` with its own commands."""
    app.command()(ingest)
    app.add_typer(lake_app, name="lake")


def ingest(
    source: Annotated[
        str,
        typer.Option(
            "--source", help="kafka://HOST:PORT/TOPIC, a file, prometheus+http://HOST:PORT?preset=NAME, or replay:FILE"
        ),
    ],
    lake: Lake,
    group: Annotated[str, typer.Option("--group", help="consumer group: its readers share the topic")] = "ascribe",
    until_idle: Annotated[
        float | None, typer.Option("--until-idle", min=0, help="end when nothing new came for so many seconds")
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option("--features", help="TOML or JSON: unit, bounds, transform, group by name"),
    ] = None,
    node: Annotated[
        str, typer.Option("--node", help="column that names the node (a,b: together; =NAME: that node)")
    ] = "node",
    time: Annotated[str, typer.Option("--time", help="column of a table that holds the time")] = "timestamp",
    time_unit: Annotated[str, typer.Option("--time-unit", help="of a time that is a number: ms or s")] = "ms",
    power: Annotated[str, typer.Option("--power", help="column of a table that holds measured watts")] = "power_w",
    shards: Annotated[
        int, typer.Option("--shards", min=0, help="a new lake: partition by so many groups of nodes")
    ] = 0,
    batch_rows: Annotated[int, typer.Option("--batch-rows", min=1, help="most rows in one append")] = 25_000,
    batch_seconds: Annotated[float, typer.Option("--batch-seconds", min=0, help="longest wait for an append")] = 1.0,
    kafka_config: Annotated[
        Path | None, typer.Option("--kafka-config", help="TOML of librdkafka's settings, such as passwords")
    ] = None,
    dead_letter_topic: Annotated[
        str | None, typer.Option("--dead-letter-topic", help="send what cannot be read there too")
    ] = None,
    metrics: Annotated[str | None, typer.Option("--metrics", help="HOST:PORT for Prometheus")] = None,
    state: Annotated[
        str | None,
        typer.Option("--state", help="another lake, whose servers are to see these rows without keeping them"),
    ] = None,
) -> None:
    """Read telemetry into the lake, each row once, until stopped or until the source ends."""
    with extra("train", NEEDS):
        from ascribe.train.definitions import read_definitions
        from ascribe.train.ingest.run import ingest as run
        from ascribe.train.lake.lake import Lake as Opened
        from ascribe.train.sources.files import Columns
        from ascribe.train.sources.opening import Asked, open_dead_topic, open_source
    held = Opened(lake, shards, state)
    if features is not None:
        held.define(read_definitions(features, power))
    known = held.features()
    names = tuple(n for n in known.names if n != "power_w") if known else None
    columns = Columns(listed(node), time, power, "id", names, time_unit)
    asked = Asked(source, group, batch_rows, batch_seconds, _config(kafka_config), columns)
    also = open_dead_topic(asked, dead_letter_topic) if dead_letter_topic else lambda _: None
    opened = open_source(asked, lambda version: held.features(version) is not None, err.print)
    stop = threading.Event()
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda *_: stop.set())
    with bars(keep=False) as shown:
        told = _progress(shown, group, metrics)
        try:
            total = run(opened, held, known, until_idle, stop, told, also, group)
        finally:
            opened.close()
    show = {"rows": total.rows, "in quarantine": total.quarantined, "dead letters": total.dead}
    err.print(", ".join(f"{n} {word}" for word, n in show.items()) + f" -> {lake}", highlight=False)
    for reason, count in sorted(total.reasons.items(), key=lambda item: -item[1]):
        err.print(f"  {count:6d}  {reason}", highlight=False)


@lake_app.command()
def show(
    uri: Annotated[str, typer.Argument(help="directory or s3://bucket/prefix")],
    version: Annotated[int | None, typer.Option("--version", help="an earlier version")] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="how many of the newest rows")] = 5,
) -> None:
    """Versions, rows, nodes and days of a lake, its quarantine and dead letters, and the newest rows."""
    with extra("train", NEEDS):
        from ascribe.train.lake.lake import Lake as Opened
        from ascribe.train.lake.upkeep import described
    show_lake(described(Opened(uri), version, rows), out)


@lake_app.command()
def compact(
    uri: Annotated[str, typer.Argument(help="directory or s3://bucket/prefix")],
    keep_hours: Annotated[
        float, typer.Option("--keep-hours", min=0, help="files of older versions go after so long")
    ] = 168.0,
) -> None:
    """Join small files, and remove files that no version of the last hours needs."""
    with extra("train", NEEDS):
        from ascribe.train.lake.lake import Lake as Opened
        from ascribe.train.lake.upkeep import compact as run
    for line in run(Opened(uri), keep_hours):
        err.print(line, highlight=False)


def _config(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        raw = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise InputError(f"{path} cannot be read as TOML ({exc})") from exc
    if nested := [name for name, value in raw.items() if isinstance(value, dict)]:
        raise InputError(f'{path}: write names that have dots in quotes: "{nested[0]}...." = "value"')
    return raw


def _progress(shown: Any, group: str, metrics: str | None) -> Any:
    """Counts on the bar, and for Prometheus where wanted."""
    tasks: list[Any] = []  # drawn once there is something to tell, so that an early error is one line
    served = None
    if metrics:
        from ascribe.train.ingest.metrics import Metrics

        served = Metrics(metrics, group)

    def told(total: Any) -> None:
        if not tasks:
            tasks.append(shown.add_task("rows", total=None))
        waiting = sum(total.lag.values())
        text = f"{total.rows} rows, {total.quarantined} in quarantine, {total.dead} dead, {waiting} to read"
        shown.update(tasks[0], completed=total.rows, total=total.rows + waiting, description=text)
        if served is not None:
            served.set(total)

    return told
