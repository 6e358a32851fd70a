"""`ascribe registry ...`: whether a store can be trusted, keys, verdicts, and what may go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ascribe.cli.options import Channel, Registry, VerifyKey
from ascribe.console import err, now

__all__ = ["registry"]

registry = typer.Typer(help="Look after a registry: check its store, make keys, read verdicts, remove old versions.")


@registry.command()
def check(uri: Annotated[str, typer.Argument(help="directory, file:///path or s3://bucket/prefix")]) -> None:
    """Try whether the store keeps several writers apart; exit code 2 with the reason if not."""
    from ascribe.bundle.selftest import selftest
    from ascribe.bundle.store import open_store

    for line in selftest(open_store(uri)):
        typer.echo(line)
    typer.echo(f"{uri} can have several writers")


@registry.command()
def key(place: Annotated[Path, typer.Argument(help="NEW.pem")]) -> None:
    """Make a pair of ed25519 keys: the private one for `publish --sign-key`, NEW.pub for `--verify-key`."""
    from ascribe.bundle.signing import write_key_pair

    typer.echo(write_key_pair(place))


@registry.command()
def prune(
    name: str,
    registry: Registry,
    keep: Annotated[int, typer.Option("--keep", min=0, help="newest versions to keep in any case")],
    min_age_s: Annotated[float, typer.Option("--min-age-s", min=0, help="younger versions stay")] = 3600.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would go")] = False,
) -> None:
    """Remove old versions that no channel, no rollback and no running server needs."""
    from ascribe.bundle.registry import Registry as Store
    from ascribe.bundle.retention import prune as run

    found = run(Store(registry), name, keep, now(), min_age_s, dry_run=dry_run)
    for version, reason in found.kept.items():
        err.print(f"kept {version}: {reason}", highlight=False)
    for version in found.removed:
        typer.echo(f"{'would remove' if dry_run else 'removed'} {version}")


@registry.command()
def verdicts(name: str, version: str, registry: Registry) -> None:
    """What the gate said of a version, each time: reasons and numbers."""
    import msgspec

    from ascribe.bundle.registry import Registry as Store
    from ascribe.bundle.verdicts import verdicts as kept

    found = kept(Store(registry).store, name, version)
    if not found:
        typer.echo(f"{version} of {name} was not judged yet")
    for judged in found:
        word = "accepted" if judged.accepted else "refused, forced" if judged.forced else "refused"
        typer.echo(f"{judged.at}  {judged.channel}  {word}  against {judged.against or 'nothing'}")
        for reason in judged.reasons:
            typer.echo(f"    {reason}")
        typer.echo(msgspec.json.encode(judged.numbers).decode())


@registry.command("export-mlflow")
def export_mlflow(
    name: str,
    registry: Registry,
    to: Annotated[Path, typer.Option("--to", help="new folder")],
    channel: Channel = "production",
    version: Annotated[str | None, typer.Option("--version", help="this one instead of a channel's")] = None,
    verify_key: VerifyKey = None,
) -> None:
    """Write a version as an MLflow model directory: graph, signature, metrics, tags, and the bundle itself."""
    from ascribe.bundle.mlflow_export import export_mlflow as run
    from ascribe.bundle.registry import Registry as Store

    store = Store(registry, verify_key)
    bundle = store.resolve(name, channel) if version is None else store.fetch(name, version)
    run(bundle, name, to)
    typer.echo(f"{bundle.manifest.version()} -> {to}")
