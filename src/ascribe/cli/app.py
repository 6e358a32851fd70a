"""The command `ascribe`: one function a command; each wing is imported inside its command."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ascribe.cli import (
    bundle,
    explain,
    explainers,
    federated,
    forecast,
    keys,
    lake,
    models,
    over_rows,
    parties,
    pipeline,
    pipeline_forecast,
    registry,
)
from ascribe.cli.options import Labels, Registry, Seed, VerifyKey, labelled, listed
from ascribe.cli.settings import single_threaded_blas
from ascribe.console import bars, err, show_report, watcher
from ascribe.core.errors import AscribeError, extra

__all__ = ["app", "main"]

STOPPED = 130  # exit code of Ctrl-C

app = typer.Typer(
    name="ascribe",
    help="How much of a prediction each input is responsible for, at the speed of the prediction itself.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
bundle.add_to(app)
lake.add_to(app)
over_rows.add_to(app)
app.command()(explain.explain)
app.command()(explain.plot)
app.command()(explainers.explainers)
app.command("import")(models.import_model)
app.command()(models.quantize)
app.add_typer(registry.registry, name="registry")
pipeline.app.command()(pipeline_forecast.forecast)
app.add_typer(pipeline.app, name="pipeline")
app.add_typer(forecast.app, name="forecast")
app.add_typer(keys.keys, name="keys")
parties.add_to(federated.federated)
app.add_typer(federated.federated, name="federated")


@app.command()
def train(
    data: Annotated[Path, typer.Option("--data", help="Parquet, CSV (.gz) or Arrow file")],
    target: Annotated[str, typer.Option("--target", help="column to predict, such as watts; or a,b,c")],
    out_dir: Annotated[Path, typer.Option("--out", help="folder of the bundle")],
    features: Annotated[str | None, typer.Option("--features", help="a,b,c (default: every numeric column)")] = None,
    time: Annotated[
        str | None, typer.Option("--time", help="column that orders rows; the last ones are held out")
    ] = None,
    group: Annotated[str | None, typer.Option("--group", help="a,b: split and order within these")] = None,
    units: Annotated[Path | None, typer.Option("--units", help='TOML or JSON: name = "unit"')] = None,
    holdout: Annotated[float, typer.Option("--holdout", help="share of rows held out")] = 0.3,
    family: Annotated[str, typer.Option("--family", help="best, power_mlp, power_xgboost, additive, linear")] = "best",
    seed: Seed = 0,
    max_seconds: Annotated[
        float | None, typer.Option("--max-seconds", min=0, help="bound EmSHAP's fit; then not repeatable")
    ] = None,
    label: Labels = None,
) -> None:
    """Clean a table, train the power model and EmSHAP, and write one bundle that offers both."""
    with extra("train", "torch and xgboost"):
        from ascribe.train.pipeline import TrainOptions
        from ascribe.train.targets import train_targets
    targets = listed(target)
    options = TrainOptions(
        data,
        targets[0] if targets else target,
        out_dir,
        listed(features) or None,
        time,
        listed(group),
        units,
        holdout,
        family,
        seed,
        max_seconds,
        labels=labelled(label),
    )
    with bars() as shown:
        report = train_targets(options, targets, watcher(shown))
    show_report(report, out_dir)


@app.command()
def serve(
    registry: Registry,
    model: Annotated[list[str], typer.Option("--model", help="NAME[@CHANNEL]; several: again, or with commas")],
    http: Annotated[str, typer.Option("--http", help="HOST:PORT")] = "127.0.0.1:8080",
    grpc: Annotated[str, typer.Option("--grpc", help="HOST:PORT")] = "127.0.0.1:50051",
    shadow: Annotated[
        str | None, typer.Option("--shadow", help="CHANNEL whose version explains a sample too, to be compared")
    ] = None,
    verify_key: VerifyKey = None,
    lake: Annotated[
        str | None, typer.Option("--lake", help="tell of its nodes, and leave it a sample of answered rows")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="processes that share the addresses")] = 1,
) -> None:
    """Answer attributions, with their predictions, over HTTP and gRPC until stopped; follow the channels meanwhile."""
    if workers > 1:
        from ascribe.serve.settings import inherited
        from ascribe.serve.workers import supervise

        given = {"--verify-key": verify_key, "--shadow": shadow, "--lake": lake}
        options = ["--registry", registry, *(part for name in model for part in ("--model", name))]
        options += [part for flag, value in given.items() if value is not None for part in (flag, str(value))]
        raise typer.Exit(supervise(workers, http, grpc, options, inherited(), err.print))
    from ascribe.serve.app import run

    run(registry, model, http, grpc, verify_key, shadow, lake)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="end after the pictures instead of serving on")] = False,
    folder: Annotated[Path, typer.Option("--dir", help="where everything goes")] = Path("runs/demo"),
    quick: Annotated[
        bool, typer.Option("--quick", help="a sixth of the rows, trees alone and no tier fast: for a first look")
    ] = False,
) -> None:
    """From a real server's telemetry to a served attribution: the whole journey on this machine."""
    with extra("train,report", "torch, xgboost and matplotlib"):
        from ascribe.demo.journey import run
    run(folder, once, quick)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="print the version and stop")] = False,
) -> None:
    if context.invoked_subcommand is None and not version:
        typer.echo(context.get_help())
    if version:
        import ascribe

        typer.echo(f"ascribe {ascribe.__version__}")
        raise typer.Exit


def main() -> NoReturn:
    """Errors in one line that says what to do; a traceback only with --debug (anywhere on the line)."""
    single_threaded_blas()
    debug = "--debug" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    try:
        code = app(arguments, prog_name="ascribe", standalone_mode=False)
        if code == STOPPED:  # typer turns Ctrl-C into a code of its own
            typer.echo("ascribe: stopped", err=True)
    except AscribeError as exc:
        _stop(str(exc), exc, debug, 2)
    except (typer.Abort, KeyboardInterrupt) as exc:
        _stop("stopped", exc, debug, STOPPED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has gone
        sys.exit(1)
    except OSError as exc:
        full = " (the disk is full: free some space)" if exc.errno == errno.ENOSPC else ""
        _stop(f"{exc.filename or 'the system'}: {exc.strerror or exc}{full}", exc, debug, 2)
    except Exception as exc:
        if _interrupted(exc):
            _stop("stopped", exc, debug, STOPPED)
        if not hasattr(exc, "format_message"):  # what typer raises for a wrong command line; it names no public class
            _stop(f"this should not happen ({type(exc).__name__}: {exc}); --debug shows where", exc, debug, 1)
        where = getattr(getattr(exc, "ctx", None), "command_path", "ascribe")
        said = exc.format_message()
        if said.startswith("Usage:"):  # a group without its command: what it has is the answer
            typer.echo(said, err=True)
            sys.exit(2)
        _stop(f"{said} (see `{where} --help`)", exc, debug, 2)
    sys.exit(code if isinstance(code, int) else 0)


def _interrupted(exc: BaseException | None) -> bool:
    """Ctrl-C while a compiled library is imported comes as that library's error."""
    while exc is not None and not isinstance(exc, KeyboardInterrupt):
        exc = exc.__cause__ or exc.__context__
    return exc is not None


def _stop(text: str, exc: BaseException, debug: bool, code: int) -> NoReturn:
    if debug:
        raise exc
    typer.echo(f"ascribe: {text}", err=True)
    sys.exit(code)
