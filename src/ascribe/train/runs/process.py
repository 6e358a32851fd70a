"""Whether a process that left its name somewhere is surely gone."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Process", "gone", "this_process"]


@dataclass(frozen=True)
class Process:
    """`place` names one table of processes (one boot of one machine, one namespace), "" where that cannot be known;
    `began`: start of the process in ticks of that boot, since numbers are used again.
    """

    host: str
    place: str
    pid: int
    began: int

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def this_process() -> Process:
    pid = os.getpid()
    return Process(platform.node() or "an unnamed host", _place(), pid, _began(pid) or 0)


def gone(process: Process) -> bool:
    """True only where it can be known: same table of processes, and no such process in it."""
    return bool(process.place) and process.place == _place() and _began(process.pid) != process.began


def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _began(pid: int) -> int | None:
    """Field 22 of its stat line; the name before it may hold spaces and brackets. A zombie runs no more."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
