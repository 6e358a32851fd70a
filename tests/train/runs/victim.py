"""A run in a process of its own that stops where it is told to, for its parent to kill.

    python -m tests.train.runs.victim LAKE REGISTRY LOG [STAGE before|during|after]

The log has a line for each stage begun and done, and "here" where the process waits. `during` is where the
power model is fitted and EmSHAP is not, `after` when the work is done and not yet marked as finished.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ascribe.train.lake.lake import Lake
from ascribe.train.runs.plan import Training
from ascribe.train.runs.run import RunOptions, run
from ascribe.train.runs.stages import Done, Stage
from ascribe.train.watch import Watcher

NAME = "power"
QUICK = Training(quick=True, max_seconds=1.0)


class Victim(Watcher):
    """Logs, and waits for the end at one place."""

    def __init__(self, log: Path, stage: str = "", when: str = "") -> None:
        self.log, self.stage, self.when, self.now = log, stage, when, ""

    def write(self, line: str) -> None:
        with self.log.open("a") as out:
            out.write(line + "\n")

    def reached(self, when: str) -> None:
        if (self.now, when) == (self.stage, self.when):
            self.write("here")
            while True:
                signal.pause()

    def progress(self, stage: str) -> None:
        self.write(f"fit {stage}")
        if stage == "EmSHAP":
            self.reached("during")

    def wrapped(self, stage: Stage) -> Stage:
        def work(folder: Path, done: Mapping[str, Done]) -> Mapping[str, Any]:
            self.now = stage.name
            self.write(f"begin {stage.name}")
            self.reached("before")
            result = stage.work(folder, done)
            self.write(f"done {stage.name}")
            self.reached("after")
            return result

        return replace(stage, work=work)

    def change(self, stages: Sequence[Stage]) -> Sequence[Stage]:
        return [self.wrapped(stage) for stage in stages]


def options(lake: str, registry: str, **changes: Any) -> RunOptions:
    return replace(RunOptions(lake, registry, NAME, training=QUICK), **changes)


if __name__ == "__main__":
    at, registry, log, *where = sys.argv[1:]
    victim = Victim(Path(log), *where)
    run(options(at, registry), Lake(at), ("a test",), victim, time.time, victim.change)
