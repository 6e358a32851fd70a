"""Commands on finished bundles: compile, measure, publish, promote. Their options are in `cli.options`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ascribe.cli.options import REFUSED, Budget, Channel, Registry, Seed, VerifyKey
from ascribe.console import err, now, show_verdict
from ascribe.core.errors import extra

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """All of them, in the order of a bundle's life."""
    for command in (compile, bench, publish, promote, rollback, history):
        app.command()(command)


def compile(
    bundle: Annotated[Path, typer.Argument(help="bundle folder")],
    tier: Annotated[str, typer.Option("--tier", help="fast, balanced or accurate")] = "balanced",
    value: Annotated[
        str | None, typer.Option("--value", help="v(S) from completions, surrogate or stacked (default: as judged)")
    ] = None,
    budget: Budget = None,
    samples: Annotated[int | None, typer.Option("--samples", help="completions per coalition")] = None,
    seed: Seed = 0,
    standalone: Annotated[
        Path | None, typer.Option("--standalone", help="also one FILE.onnx with all weights inside")
    ] = None,
    triton: Annotated[
        Path | None, typer.Option("--triton", help="also a model of this NVIDIA Triton repository")
    ] = None,
) -> None:
    """Compile an explanation into one ONNX graph of the bundle: prediction, attribution, standard error in one call."""
    with extra("train", "torch and onnx"):
        from ascribe.train import compile as compiling
        from ascribe.train.triton import export_triton
    compiling.compile_bundle(bundle, [compiling.Wanted(tier, value, budget, samples, seed)], err.print)
    from ascribe.bundle.archive import open_directory

    held = open_directory(bundle)
    if standalone is not None:
        standalone.write_bytes(compiling.standalone(held, tier))
        err.print(f"-> {standalone}")
    if triton is not None:
        err.print(f"-> {export_triton(held, tier, triton)}")
    typer.echo(held.manifest.version())


def bench(
    bundle: Annotated[Path, typer.Argument(help="bundle folder")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="OUT.json")] = None,
) -> None:
    """Measure every tier on this machine: latency by batch, standard error, and what its parts alone would take."""
    from ascribe.bench import run

    run(bundle, output)


def publish(
    bundle: Annotated[Path, typer.Argument(help="bundle folder")],
    registry: Registry,
    name: Annotated[str, typer.Option("--name", help="name of the model")],
    sign_key: Annotated[
        Path | None, typer.Option("--sign-key", help="private key (PEM) of `ascribe registry key`: sign the version")
    ] = None,
) -> None:
    """Put a bundle into the registry, its tiers measured on this machine; prints its version."""
    from ascribe.bundle.latency import timed
    from ascribe.bundle.registry import Registry as Store

    typer.echo(Store(registry).publish(name, timed(bundle), sign_key))


def promote(
    name: str,
    version: str,
    registry: Registry,
    channel: Channel = "production",
    force: Annotated[bool, typer.Option("--force", help="move the channel though the gate refuses; recorded")] = False,
    verify_key: VerifyKey = None,
) -> None:
    """Judge a version against production on held-out rows and move the channel to it; exit code 3 if refused."""
    from ascribe.bundle.gate.verdict import judge_and_promote
    from ascribe.bundle.registry import Registry as Store

    verdict = judge_and_promote(Store(registry, verify_key), name, version, now(), channel, force)
    show_verdict(verdict)
    if not verdict.accepted and not force:
        err.print(f"refused: {channel} of {name} stays as it is", style="bold red")
        raise typer.Exit(REFUSED)
    word = "" if verdict.accepted else ", forced though the gate refused"
    err.print(f"{channel} of {name} is {version}{word}", style="bold green" if verdict.accepted else "bold yellow")


def rollback(name: str, registry: Registry, channel: Channel = "production") -> None:
    """Point a channel back at the version before."""
    from ascribe.bundle.registry import Registry as Store

    typer.echo(Store(registry).rollback(name, now(), channel).current.version)


def history(name: str, registry: Registry, channel: Channel = "production") -> None:
    """Every move of a channel, what the gate refused, and all versions."""
    from ascribe.bundle.registry import Registry as Store
    from ascribe.bundle.verdicts import verdicts

    store = Store(registry)
    for event in store.channel(name, channel).history:
        typer.echo(f"{event.at}  {event.action:8s}  {event.version}")
        for reason in event.reasons:
            typer.echo(f"    {reason}")
    versions = store.versions(name)
    for judged in (judged for version in versions for judged in verdicts(store.store, name, version)):
        if not judged.accepted and judged.channel == channel:
            word = "forced  " if judged.forced else "refused "
            typer.echo(f"{judged.at}  {word}  {judged.version}  {judged.reasons[0]}")
    typer.echo("all versions: " + ", ".join(versions))
