"""Commands on models that several parties hold together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ascribe.console import err, now
from ascribe.core.errors import extra

__all__ = ["federated"]

federated = typer.Typer(help="Models that several parties hold together: halves, hosts, scores.", no_args_is_help=True)
Out = Annotated[Path, typer.Option("--out", help="folder to write to")]


@federated.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="model of FATE 1.x: model cache, export (zip or folder), JSON twin")],
    role: Annotated[str, typer.Option("--role", help="guest or host: whose half the file is")],
    out_dir: Out,
    semantics: Annotated[
        str,
        typer.Option("--semantics", help="serving-2.1, serving-2.0, fate-1.4, fate-1.5, fate-1.7, or writer (by file)"),
    ] = "serving-2.1",
    party: Annotated[str | None, typer.Option("--party", help="host:10000, where the file does not say")] = None,
    host: Annotated[list[str] | None, typer.Option("--host", help="a host of the model, where it does not say")] = None,
    strip: Annotated[bool, typer.Option("--strip", help="leave the weights of splits out of a guest's half")] = False,
    shares_columns: Annotated[
        bool, typer.Option("--share-columns", help="as a host: let the guest see parts by column")
    ] = False,
) -> None:
    """Read a party's half of a FATE 1.x model once, and write it as a bundle that serves without FATE."""
    with extra("train", "protobuf"):
        from dataclasses import replace

        from ascribe.train.adapters.fate import read_fate
    made = replace(read_fate(file, role, semantics, party, host or (), strip), shares_columns=shares_columns)
    _write(out_dir, [(out_dir, made)])


@federated.command()
def split(
    model: Annotated[Path, typer.Argument(help="XGBoost (.json, .ubj) or LightGBM (.txt)")],
    parties: Annotated[Path, typer.Option("--parties", help='JSON: {"column": "guest", "column": "bank"}')],
    out_dir: Out,
    shares_columns: Annotated[
        list[str] | None,
        typer.Option("--share-columns", help="NAME of a host that lets the guest see parts by column; repeatable"),
    ] = None,
    holdout: Annotated[
        Path | None,
        typer.Option("--holdout", help="held-out rows with every party's columns and an id: the gate judges by them"),
    ] = None,
    label: Annotated[str | None, typer.Option("--label", help="column of --holdout that the model predicts")] = None,
) -> None:
    """Split a model of trees between a guest and hosts: a folder with a bundle for each, DIR/guest and DIR/NAME."""
    with extra("train", "xgboost"):
        from ascribe.train.federated_split import held_out, read_parties, sharing, split_model
    halves = sharing(split_model(model, read_parties(parties)), shares_columns or ())
    replies = None if holdout is None else held_out(halves, holdout, label)
    _write(out_dir, [(out_dir / name, half) for name, half in halves.items()], replies)


def _write(out_dir: Path, halves: list[tuple[Path, object]], replies: object = None) -> None:
    """`replies`: for the guest to keep."""
    import ascribe
    from ascribe.bundle.federated.half import write_party

    for folder, half in halves:
        kept = replies if half.role == "guest" else None  # type: ignore[attr-defined]
        bundle = write_party(folder, half, now(), ascribe.__version__, kept)  # type: ignore[arg-type]
        err.print(f"{half.name}, version {bundle.manifest.version()} -> {folder}")  # type: ignore[attr-defined]
