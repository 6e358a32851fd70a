"""Parts of a training on disk: each is a stage of its own inside the stage `train`, done once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ascribe.train.parts import Keep, Part
from ascribe.train.runs.stages import MARKER, Done, Stage, perform
from ascribe.train.watch import Watcher

__all__ = ["kept_in"]


def kept_in(place: Path, code: str, watch: Watcher) -> Keep:
    """Parts in a folder that belongs to one training (its settings and rows name it)."""

    def keep(name: str, make: Callable[[], Part]) -> Part:
        def work(folder: Path, done: Mapping[str, Done]) -> Mapping[str, Any]:
            part = make()
            for file, raw in part.files.items():
                (folder / file).write_bytes(raw)
            return part.facts

        done = perform(Stage(name, work), {}, place, code)
        if not done.fresh:
            watch.note(f"train: {name} was done before, {done.seconds:.1f} s")
        return Part({p.name: p.read_bytes() for p in sorted(done.folder.iterdir()) if p.name != MARKER}, done.result)

    return keep
