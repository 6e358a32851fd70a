"""One view of several processes: each leaves its counts in a shared folder, and each can add all of them up.

    FOLDER/WORKER.json     replaced atomically, every second
    FOLDER/WORKER.lock     held as long as the process lives; the system lets go of it, whatever ended the process
    FOLDER/past.json       counters of processes that have ended, and whose they were

A folder belongs to one run of a server: whoever starts the processes empties it first.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from ascribe.bundle.unreadable import UNREADABLE, readable
from ascribe.core.errors import ServiceError
from ascribe.serve.observe.aliases import aliases
from ascribe.serve.observe.snapshots import Snapshot, decoded, encoded, lasting, merged, page

__all__ = ["Board"]

EVERY_S = 1.0
PAST = "past"


class _Past(msgspec.Struct):
    """`of`: processes whose counters are in `counts`; while their files are still there, those are not read again."""

    of: list[str]
    counts: Snapshot


class Board:
    """`own`: this process' counts now; `folder`: None for a process that is alone.

    A page counts the others as of a second ago at most, so two looks a second apart or more never see a counter drop,
    whichever process answers. Raises ServiceError for a folder that cannot be written.
    """

    def __init__(self, own: Callable[[], Snapshot], folder: Path | None = None, every_s: float = EVERY_S) -> None:
        self._own, self._folder, self._every_s = own, folder, every_s
        self._name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if folder:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._life = FileLock(folder / f"{self._name}.lock", thread_local=False)
                self._life.acquire(timeout=0)
                self._write(self._name, encoded(own()))
            except OSError as exc:
                raise ServiceError(f"ASCRIBE_METRICS_DIR {folder} cannot be written ({exc.strerror})") from exc

    def start(self) -> None:
        """Write from now on."""
        if self._folder:
            self._thread = threading.Thread(target=self._run, name="board", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Write a last time, and end."""
        self._stop.set()
        if self._thread:
            self._thread.join()
        if self._folder:
            with suppress(OSError):
                self._write(self._name, encoded(self._own()))
            self._life.release()

    def view(self) -> Snapshot:
        """The counts of all processes: gauges of those alive, counters of those that have ended too."""
        return merged([self._own(), *self._others()])

    def page(self) -> bytes:
        """`view` as Prometheus reads it, with the names that older dashboards know."""
        seen = self.view()
        return page(seen | aliases(seen))

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            with suppress(OSError):  # a full disk is no reason to stop serving; the next second may go better
                self._write(self._name, encoded(self._own()))

    def _others(self) -> list[Snapshot]:
        if not self._folder:
            return []
        with FileLock(self._folder / "fold.lock"):
            past = self._past()
            found = [past.counts]
            for path in sorted(self._folder.glob("*.json")):
                name = path.stem
                if name in (self._name, PAST):
                    continue
                if name in past.of:  # its counters were kept, and then somebody was stopped
                    path.unlink(missing_ok=True)
                    continue
                with suppress(OSError, *UNREADABLE):
                    found.append(self._read(path, past))
            return found

    def _read(self, path: Path, past: _Past) -> Snapshot:
        """A living process' counts, or the counters of one that has ended, which are then kept in `past`."""
        life = FileLock(path.with_suffix(".lock"))
        try:
            life.acquire(timeout=0)
        except Timeout:
            return decoded(path.read_bytes())
        try:
            counts = lasting(decoded(path.read_bytes()))
            past.of = [name for name in past.of if (path.parent / f"{name}.json").exists()] + [path.stem]
            past.counts = merged([past.counts, counts])
            self._write(PAST, msgspec.json.encode(past))
            path.unlink(missing_ok=True)
            return counts
        finally:
            life.release()
            path.with_suffix(".lock").unlink(missing_ok=True)

    def _past(self) -> _Past:
        assert self._folder
        try:
            raw = (self._folder / f"{PAST}.json").read_bytes()
        except FileNotFoundError:
            return _Past([], {})
        return readable(raw, _Past) or _Past([], {})  # from what is damaged counters begin again

    def _write(self, name: str, raw: bytes) -> None:
        assert self._folder
        fresh = self._folder / f"{name}.new"
        fresh.write_bytes(raw)
        fresh.replace(self._folder / f"{name}.json")
