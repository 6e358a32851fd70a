"""Servers of a model that several parties hold: `ascribe federated host | guest | score`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ascribe.console import err, now
from ascribe.core.errors import InputError

if TYPE_CHECKING:
    from ascribe.bundle.federated.replies import Replies
    from ascribe.core.federated.party import Party

__all__ = ["add_to"]

Hosts = Annotated[list[str], typer.Option("--host", help="NAME=HOST:PORT of each host, repeatable")]
Policy = Annotated[str, typer.Option("--policy", help="where a host does not answer: fail, or bounds of the margin")]
SkipLocal = Annotated[
    bool, typer.Option("--skip-local", help="ask no host that no row can meet; it learns which rows it matters to")
]
Background = Annotated[
    Path | None,
    typer.Option("--background", help="rows of the guest, for a model that has no cover: explained by them"),
]

FromRegistry = Annotated[str, typer.Option("--registry", help="follow a channel of this registry instead of a folder")]
Model = Annotated[str, typer.Option("--model", help="NAME[@CHANNEL] of the half in the registry")]
ByColumn = Annotated[
    list[str] | None,
    typer.Option("--by-column", help="NAME of a host whose columns play one by one; it must agree; repeatable"),
]


def add_to(group: typer.Typer) -> None:
    """The commands."""
    group.command()(host)
    group.command()(guest)
    group.command()(score)
    group.command()(holdout)


def host(
    features: Annotated[
        str, typer.Option("--features", help="file with a column id, sqlite:///FILE#TABLE, https://... or redis://...")
    ],
    bundle: Annotated[Path | None, typer.Option("--bundle", help="folder of the host's half")] = None,
    registry: FromRegistry = "",
    model: Model = "",
    listen: Annotated[str, typer.Option("--listen", help="HOST:PORT")] = "127.0.0.1:50061",
) -> None:
    """Answer the guests of a model: one bit for each of this host's splits and row, and nothing else of a row."""
    from ascribe.bundle.archive import open_directory
    from ascribe.bundle.federated.half import open_party
    from ascribe.serve.federated import settings as parties
    from ascribe.serve.federated.features import Features, open_features
    from ascribe.serve.federated.host import follow, serve
    from ascribe.serve.settings import from_environment
    from ascribe.serve.stopping import until_stopped

    settings, own = from_environment(), parties.from_environment()
    _one_place(bundle, registry, model)

    def opened(half: Party) -> Features:
        return open_features(features, half.inputs, own.source_s)

    if bundle is None:
        until_stopped(lambda stop, write: follow(registry, model, opened, listen, settings, own, stop, write=write))
        return
    party, name = open_party(open_directory(bundle), "host"), bundle.name
    place = opened(party)
    until_stopped(lambda stop, write: serve(party, place, listen, settings, own, stop, write=write, name=name))


def guest(
    host: Hosts,
    bundle: Annotated[Path | None, typer.Option("--bundle", help="folder of the guest's half")] = None,
    registry: FromRegistry = "",
    model: Model = "",
    http: Annotated[str, typer.Option("--http", help="HOST:PORT")] = "127.0.0.1:8080",
    grpc: Annotated[str, typer.Option("--grpc", help="HOST:PORT")] = "127.0.0.1:50051",
    policy: Policy = "fail",
    skip_local: SkipLocal = False,
    background: Background = None,
    name: Annotated[str, typer.Option("--name", help="what the model is called (default: the folder's name)")] = "",
    service_id: Annotated[
        str, typer.Option("--service-id", help="that FATE-Serving's clients name (default: any)")
    ] = "",
    by_column: ByColumn = None,
) -> None:
    """Score and explain rows, one exchange with each host a request, over HTTP and gRPC, FATE-Serving's calls too."""
    from ascribe.bundle.archive import open_directory
    from ascribe.serve.address import parse
    from ascribe.serve.federated import settings as parties
    from ascribe.serve.federated.guest import GuestHouse, serve
    from ascribe.serve.settings import from_environment
    from ascribe.serve.stopping import until_stopped

    _one_place(bundle, registry, model)
    settings, own, at = from_environment(), parties.from_environment(), _addresses(host)
    listen = [parse(http, "--http").host, parse(grpc, "--grpc").host]

    async def run(stop: asyncio.Event, write: Callable[[bytes], object]) -> None:
        house = GuestHouse(
            open_directory(bundle) if bundle else None, (name or bundle.resolve().name) if bundle else model, at,
            listen, settings, own, policy, skip_local, background, service_id, write, registry, by_column or (),
        )  # fmt: skip
        await serve(house, http, grpc, stop, alone=True)

    until_stopped(run)


def score(
    guest: Annotated[Path, typer.Option("--guest", help="folder of the guest's half")],
    features: Annotated[
        Path, typer.Option("--features", help="the guest's rows: CSV, Parquet or Arrow with a column id")
    ],
    host: Hosts,
    output: Annotated[Path, typer.Option("-o", "--output", help="OUT.parquet")],
    explain: Annotated[bool, typer.Option("--explain", help="how much each column and each host accounts for")] = False,
    policy: Policy = "fail",
    skip_local: SkipLocal = False,
    background: Background = None,
    by_column: ByColumn = None,
    target: Annotated[str | None, typer.Option("--target", help="which class (default: the first)")] = None,
) -> None:
    """Score every row of a file with all parties of its model: id, margin, score, base_value, a column a part."""
    from ascribe.bundle.archive import open_directory
    from ascribe.bundle.scored_answers import write_scored
    from ascribe.serve.federated import settings as parties
    from ascribe.serve.federated.opening import open_guest
    from ascribe.serve.federated.partial import checked
    from ascribe.serve.federated.scoring import score_file

    if output.suffix != ".parquet":
        raise InputError(f"{output}: the answer is a Parquet file, name it .parquet")
    own, at = parties.from_environment(), _addresses(host)
    held = open_guest(open_directory(guest), at, own, by_column or ())
    found = asyncio.run(score_file(held, features, own, explain, checked(policy), skip_local, background, target))
    for line in found.told:
        err.print(f"policy {policy}: {line}", highlight=False)
    if policy == "fail" and not found.answered:
        raise InputError(f"no row is answered, policy fail: {'; '.join(found.told) or found.columns['warnings'][0]}")  # type: ignore[index]
    write_scored(found.columns, found.explained, output)
    asked = "one exchange" if found.exchanges == 1 else f"{found.exchanges} exchanges"
    err.print(f"{found.answered} of {found.rows} rows, {asked} with each host -> {output}", highlight=False)


def holdout(
    guest: Annotated[Path, typer.Option("--guest", help="folder of the guest's half")],
    features: Annotated[Path, typer.Option("--features", help="held-out rows of the guest, with a column id")],
    host: Hosts,
    out_dir: Annotated[Path, typer.Option("--out", help="folder for the half with the replies")],
    label: Annotated[str | None, typer.Option("--label", help="column of the rows that the model predicts")] = None,
) -> None:
    """Ask the hosts about held-out rows once and keep their replies with the guest's half: the gate judges by them."""
    import ascribe
    from ascribe.bundle.archive import open_directory
    from ascribe.bundle.federated.half import open_party, write_party
    from ascribe.serve.federated import settings as parties
    from ascribe.serve.federated.keeping import kept
    from ascribe.serve.federated.opening import open_guest

    bundle, own, at = open_directory(guest), parties.from_environment(), _addresses(host)

    async def asked() -> Replies:
        held = open_guest(bundle, at, own)
        try:
            return await kept(held, features, label, own)
        finally:
            for link in held.links:
                await link.close()

    replies = asyncio.run(asked())
    made = write_party(out_dir, open_party(bundle, "guest"), now(), ascribe.__version__, replies)
    err.print(f"{len(replies)} rows with replies, version {made.manifest.version()} -> {out_dir}", highlight=False)


def _one_place(bundle: Path | None, registry: str, model: str) -> None:
    """Raises InputError unless it is a folder, or a model of a registry."""
    if bool(bundle) == bool(registry) or bool(registry) != bool(model):
        raise InputError("where is the half? --bundle DIR, or --registry URI with --model NAME[@CHANNEL]")


def _addresses(hosts: list[str]) -> dict[str, str]:
    """NAME=HOST:PORT, each once."""
    pairs = [text.partition("=") for text in hosts]
    if wrong := [text for text, (name, sign, at) in zip(hosts, pairs, strict=True) if not (name and sign and at)]:
        raise InputError(f"'{wrong[0]}' is no host: write --host NAME=HOST:PORT")
    if len({name for name, _, _ in pairs}) < len(pairs):
        raise InputError("a host is named twice: name each host once")
    return {name: at for name, _, at in pairs}
