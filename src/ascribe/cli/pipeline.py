"""`ascribe pipeline`: from the lake to a promoted model, once or day and night; its drift, its runs."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from ascribe.cli.options import REFUSED, Channel, Labels, Lake, Registry, Seed, VerifyKey, labelled, listed
from ascribe.cli.spread import spread
from ascribe.console import bars, err, out, watcher
from ascribe.core.durations import span
from ascribe.core.errors import InputError, extra

__all__ = ["app", "end_softly", "ended", "opened_lake"]

SHOWN = 10

app = typer.Typer(help="From the lake to a promoted model: run, watch, drift, status.", rich_markup_mode=None)

Name = Annotated[str, typer.Option("--name", help="name of the model")]
Features = Annotated[str | None, typer.Option("--features", help="a,b,c (default: those that the lake defines)")]
Units = Annotated[Path | None, typer.Option("--units", help="TOML or JSON in place of the lake's definitions")]
Holdout = Annotated[float, typer.Option("--holdout", help="share of rows held out")]
Family = Annotated[str, typer.Option("--family", help="best, power_mlp, power_xgboost, additive or linear")]
MaxSeconds = Annotated[float | None, typer.Option("--max-seconds", min=0, help="bound each fit; then not repeatable")]
Quick = Annotated[bool, typer.Option("--quick", help="the smallest training that is of use, for a first look")]
Force = Annotated[bool, typer.Option("--force", help="promote against the gate; recorded in the channel's history")]
Work = Annotated[Path | None, typer.Option("--work", help="folder of the stages (default: beside the lake)")]
SignKey = Annotated[Path | None, typer.Option("--sign-key", help="ed25519 private key (PEM) to sign the version with")]
Days = Annotated[int | None, typer.Option("--days", min=1, help="only the last days that have rows")]
Also = Annotated[str | None, typer.Option("--also", help="a,b: columns that the bundle predicts too")]
MaxRows = Annotated[int, typer.Option("--max-rows", min=100, help="more are thinned evenly")]
DriftRows = Annotated[int, typer.Option("--rows", min=50, help="newest rows of the lake to compare")]


@dataclass(frozen=True)
class Wanted:
    """What a run is of, an option each."""

    lake: Lake
    registry: Registry
    name: Name
    channel: Channel = "production"
    features: Features = None
    units: Units = None
    holdout: Holdout = 0.3
    family: Family = "best"
    seed: Seed = 0
    max_seconds: MaxSeconds = None
    quick: Quick = False
    force: Force = False
    work: Work = None
    label: Labels = None
    sign_key: SignKey = None
    verify_key: VerifyKey = None
    days: Days = None
    max_rows: MaxRows = 200_000
    also: Also = None


@app.command()
@spread
def run(
    wanted: Wanted,
    wait: Annotated[str, typer.Option("--wait", help="for another run to end, such as 90s or 2h")] = "0",
) -> None:  # fmt: skip
    """Snapshot, train, publish, judge, promote; goes on where it was killed. Exit code 3 if the gate refuses."""
    options = _options(wanted, span(wait))
    from ascribe.train.runs.run import run as begin

    end_softly()
    with bars() as shown:
        record = begin(options, opened_lake(wanted.lake), ("manual",), watcher(shown))
    ended(record, wanted.channel, wanted.name)


@app.command()
@spread
def watch(
    wanted: Wanted,
    min_new_rows: Annotated[int, typer.Option("--min-new-rows", min=0, help="due after so many (0: never)")] = 10_000,
    every: Annotated[str | None, typer.Option("--every", help="due after a time, such as 6h, if rows are new")] = None,
    drift: Annotated[bool, typer.Option("--drift/--no-drift", help="whether drift is a reason")] = True,
    drift_every: Annotated[str, typer.Option("--drift-every", help="between comparisons")] = "1h",
    rows: DriftRows = 20_000,
    poll: Annotated[str, typer.Option("--poll", help="between looks at the lake")] = "60s",
) -> None:  # fmt: skip
    """Run whenever new rows, the time, drift or new code ask for it, until stopped; ends softly on SIGTERM."""
    options = _options(wanted)
    from ascribe.train.runs.triggers import Triggers
    from ascribe.train.runs.watching import Looking
    from ascribe.train.runs.watching import watch as begin

    triggers = Triggers(min_new_rows or None, span(every) if every else None, drift)
    looking = Looking(triggers, span(poll), span(drift_every), rows)
    end_softly()
    with bars() as shown:
        begin(options, opened_lake(wanted.lake), looking, watcher(shown))


@app.command()
def drift(
    lake: Lake, registry: Registry, name: Name, channel: Channel = "production",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="OUT.html")] = None,
    rows: DriftRows = 20_000,
    live: Annotated[bool, typer.Option("--live", help="compare what servers answered, not the lake")] = False,
    verify_key: VerifyKey = None,
) -> None:  # fmt: skip
    """How far production's inputs, predictions, attributions and errors have moved; a page with -o."""
    with extra("train", "pyarrow and deltalake"):
        from ascribe.train.runs import watching
        from ascribe.train.runs.run import RunOptions
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{output}: the report is a page, name it .html")
    options = RunOptions(lake, registry, name, channel, verify_key=verify_key)
    found = watching.compare_live(options) if live else watching.compare(options, opened_lake(lake), rows)
    err.print(f"{found.word}: {found.now}", style="bold", highlight=False)
    for reason in found.reasons:
        err.print(f"  {reason}", highlight=False)
    if output is not None:
        with extra("report", "matplotlib"):
            from ascribe.report.drift import save
        err.print(f"-> {save(found, output)}", highlight=False)
    typer.echo(found.word)


@app.command()
def status(lake: Lake, registry: Registry, name: Name) -> None:
    """Who runs now, the last runs and how they ended, the last drift."""
    import time

    from ascribe.bundle.registry import Registry as Store
    from ascribe.bundle.state import State, beside
    from ascribe.train.runs import lock, record
    from ascribe.train.runs.drift import newest

    store, state = Store(registry), State(beside(lake))
    store.versions(name)
    holder = lock.holder(store.store, name, time.time)
    out.print(f"running: {holder}" if holder else "nobody runs", highlight=False)
    for held in record.runs(state, name, SHOWN):
        out.print(f"{held.run}  {held.status}", style="bold", highlight=False)
        told = f"lake version {held.lake_version}, {held.rows} labelled rows" + f" -> {held.version}" * bool(
            held.version
        )
        out.print(f"    {told} ({', '.join(held.why)})", highlight=False)
        stages = "  ".join(f"{stage} {done.seconds:.1f} s" for stage, done in held.stages.items())
        out.print(f"    {held.error or stages}", highlight=False)
    if (found := newest(state, name)) is not None:
        out.print(f"drift {found.at}: {found.word}; {found.reasons[0]}", highlight=False)


def _options(wanted: Wanted, wait: float = 0.0) -> Any:
    with extra("train", "torch, xgboost and deltalake"):
        from ascribe.train.runs.plan import Training
        from ascribe.train.runs.run import RunOptions
    w = wanted
    training = Training(
        listed(w.features) or None, w.units, w.holdout, w.family, w.seed, w.max_seconds, w.quick, labelled(w.label),
        w.days, w.max_rows, listed(w.also),
    )  # fmt: skip
    return RunOptions(
        w.lake, w.registry, w.name, w.channel, training, w.work, w.force, wait, sign_key=w.sign_key,
        verify_key=w.verify_key,
    )  # fmt: skip


def opened_lake(uri: str) -> Any:
    with extra("train", "deltalake"):
        from ascribe.train.lake.lake import Lake as Opened
    return Opened(uri)


def ended(record: Any, channel: str, name: str) -> None:
    """What a run came to. Exits with code 3 where the gate refused."""
    for reason in record.reasons:
        err.print(f"gate: {reason}", highlight=False)
    if record.status == "refused":
        err.print(f"refused: {channel} of {name} stays as it is", style="bold red")
        raise typer.Exit(REFUSED)
    err.print(f"{channel} of {name} is {record.version}", style="bold green")
    typer.echo(record.version)


def end_softly() -> None:
    """SIGTERM ends like Ctrl-C: the run is recorded as stopped and its lease is given back."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
