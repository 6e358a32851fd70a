"""A stage is named by the hash of all that it depends on, and is done once.

    key = sha256(name, code version, settings, what it saw, keys of its inputs)

Its folder is WORK/<name>-<key>; the marker is written last, through a rename, after the outputs have reached the disk.
A folder without a marker is what a kill left: it is emptied and the stage begins again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["DIGITS", "MARKER", "PARTS", "Done", "Stage", "digest_of", "key_of", "perform", "prune"]

MARKER = "done.json"
PARTS = "-parts"  # ends the name of a folder beside that of its stage
DIGITS = 16  # of the key in a folder's name; the marker holds all


@dataclass(frozen=True)
class Done:
    """A finished stage: its folder, what it found, how long it took; `repeated` is False where it was done before."""

    stage: str
    key: str
    folder: Path
    result: Mapping[str, Any]
    seconds: float
    fresh: bool


Work = Callable[[Path, Mapping[str, Done]], Mapping[str, Any]]
"""Fills a folder from finished inputs; what it returns must be plain JSON."""


@dataclass(frozen=True)
class Stage:
    """`inputs`: stages that come before; `settings`: plain values that decide the outputs; `sees`: what it reads of the
    world outside, looked up when the stage is reached, since that too is part of the key.
    """

    name: str
    work: Work
    inputs: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    sees: Callable[[Mapping[str, Done]], Mapping[str, Any]] = lambda done: {}


def digest_of(value: Any) -> str:
    """sha256 of a plain value's canonical JSON.

    >>> digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def key_of(stage: Stage, done: Mapping[str, Done], code: str) -> str:
    """The name of what this stage would make now."""
    inputs = {name: done[name].key for name in stage.inputs}
    return digest_of([stage.name, code, stage.settings, stage.sees(done), inputs])


def perform(stage: Stage, done: Mapping[str, Done], place: Path, code: str) -> Done:
    """The stage, done now or found done. Raises what its work raises; the folder then has no marker."""
    key = key_of(stage, done, code)
    folder = place / f"{stage.name}-{key[:DIGITS]}"
    if (held := _finished(folder, stage.name, key)) is not None:
        return held
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    begin = time.monotonic()
    result = msgspec.json.decode(msgspec.json.encode(dict(stage.work(folder, done))))  # as it will be read
    seconds = time.monotonic() - begin
    files = {path.relative_to(folder).as_posix(): _settled(path) for path in _files(folder)}
    marker = {"stage": stage.name, "key": key, "seconds": seconds, "result": result, "files": files}
    part = folder / f".{MARKER}.part"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(marker), indent=2))
    _settled(part)
    os.replace(part, folder / MARKER)
    return Done(stage.name, key, folder, result, seconds, True)


def prune(place: Path, kept: Iterable[Path], unfinished: bool = False) -> None:
    """Remove the folders of stages that are not among `kept`. Where a run is `unfinished`, what no marker ends stays:
    the stage that it was stopped in, and the parts kept beside it.
    """
    names = {folder.name for folder in kept}
    folders = [folder for folder in place.iterdir() if folder.is_dir()] if place.is_dir() else []
    ended = {folder.name for folder in folders if (folder / MARKER).is_file()}
    for folder in folders:
        half_done = folder.name.removesuffix(PARTS) not in ended
        if folder.name not in names and not (unfinished and half_done):
            shutil.rmtree(folder, ignore_errors=True)


def _finished(folder: Path, name: str, key: str) -> Done | None:
    """What the marker says, if all that it names is there still."""
    try:
        marker = msgspec.json.decode((folder / MARKER).read_bytes())
        if (marker["stage"], marker["key"]) != (name, key):
            return None
        if any((folder / file).stat().st_size != size for file, size in marker["files"].items()):
            return None
        return Done(name, key, folder, marker["result"], float(marker["seconds"]), False)
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _settled(path: Path) -> int:
    """The size of a file that has reached the disk: a marker must not outlive what it speaks of."""
    with path.open("rb") as held:
        os.fsync(held.fileno())
    return path.stat().st_size
