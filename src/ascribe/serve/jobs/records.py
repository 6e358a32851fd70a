"""Jobs as objects of a store, which several processes and restarts share; nothing of a job is kept elsewhere.

record/<id>                   what was asked, and by whom
rows/<id>/<chunk>             its rows
open/<id>                     there while the job has not ended
lease/<id>                    which process works on it, until when; swapped by compare-and-swap
out/<id>/<version>/<chunk>    a chunk's answers, by the version that gave them
end/<id>                      how it ended: written once, so that only one end is true
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import msgspec

from ascribe.bundle.store import Store
from ascribe.bundle.unreadable import readable
from ascribe.core.errors import Conflict, InputError, NotFound, RegistryError
from ascribe.core.words import quoted
from ascribe.serve.access.callers import Caller
from ascribe.serve.messages import AttributionResponse
from ascribe.serve.rows import Row

__all__ = ["End", "Held", "Record", "Records"]

ID = re.compile(r"[0-9a-f]{32}")
KINDS = ("rows", "out")
T = TypeVar("T")


class Record(msgspec.Struct):
    """`asked`: an AttributionAsked; `total` rows in chunks of `chunk`; `created`: ISO 8601 UTC, `at_s` since 1970.
    `caller`, `scopes`, `rate_per_s`: who asked, and what it might do then.
    """

    id: str
    asked: dict[str, object]
    total: int
    chunk: int
    caller: str
    created: str
    at_s: float
    scopes: tuple[str, ...] = ("predict", "explain")
    rate_per_s: float | None = None

    @property
    def who(self) -> Caller:
        """The caller that the job runs as."""
        return Caller(self.caller, frozenset(self.scopes), self.rate_per_s)

    @property
    def chunks(self) -> int:
        return -(-self.total // self.chunk)

    def size(self, k: int) -> int:
        """Rows of chunk k."""
        return min(self.chunk, self.total - k * self.chunk)


class Held(msgspec.Struct):
    """`owner` works on the job with `version` until `until_s` (seconds since 1970), unless it says so again."""

    owner: str
    until_s: float
    version: str = ""


class End(msgspec.Struct):
    """`state`: done, failed or cancelled. `version`: the one that answered; `header`: its answer without rows."""

    state: str
    at: str
    reason: str = ""
    version: str = ""
    header: AttributionResponse | None = None


class Records:
    """Reads and writes; each call may raise RegistryError where the store cannot be used. What a machine that lost
    power left in pieces counts as not there: that job ends, and no other is held up.
    """

    def __init__(self, store: Callable[[], Store]) -> None:
        self._open = store

    def create(self, record: Record, rows: list[Row]) -> None:
        """Rows first, so that what is open is whole. Raises InputError for rows that cannot be kept."""
        for k in range(record.chunks):
            part = rows[k * record.chunk : (k + 1) * record.chunk]
            try:
                # Python's own JSON keeps what rows are judged by: NaN, and integers of any size.
                raw = json.dumps([row.to_json() for row in part]).encode()
            except (ValueError, RecursionError) as exc:
                raise InputError("a row holds what no number is: send its values as numbers") from exc
            self._put(f"rows/{record.id}/{k:06d}", raw)
        self._put(f"record/{record.id}", msgspec.json.encode(record))
        self._put(f"open/{record.id}", b"")

    def waiting(self) -> list[str]:
        """Ids of jobs that have not ended, the oldest first."""
        written = self._store.written("open")
        return [path.rpartition("/")[2] for path in sorted(written, key=lambda path: (written[path], path))]

    def record(self, job: str) -> Record:
        """Raises NotFound."""
        if not ID.fullmatch(job):
            raise NotFound(f"no job {quoted(job, 64)} here: an id is what the answer to the submission says")
        try:
            return self._read(f"record/{job}", Record)
        except NotFound as exc:
            raise NotFound(f"no job '{job}' here: it never was, or was cleaned away; submit it again") from exc

    def rows(self, job: str, k: int) -> list[Row]:
        """Raises NotFound."""
        raw = self._store.read(f"rows/{job}/{k:06d}")
        try:
            return [Row.from_json(row) for row in json.loads(raw)]
        except (ValueError, TypeError, KeyError, RecursionError) as exc:
            raise NotFound(f"rows of job '{job}' are damaged: submit it again") from exc

    def claim(self, job: str, owner: str, seconds: float, version: str = "") -> bool:
        """Take the job for so long, or keep it; False where somebody else has it."""
        now = time.time()

        def change(raw: bytes | None) -> bytes:
            held = readable(raw, Held)
            if held and held.owner != owner and held.until_s > now:
                raise Conflict(f"job {job} is worked on by another process")
            return msgspec.json.encode(Held(owner, now + seconds, version))

        try:
            self._store.swap(f"lease/{job}", change)
        except Conflict:
            return False
        return True

    def held(self, job: str) -> Held | None:
        """Who works on it, if anybody does, or did last."""
        try:
            return readable(self._store.read(f"lease/{job}"), Held)
        except NotFound:
            return None

    def write(self, job: str, version: str, k: int, answer: AttributionResponse) -> None:
        self._put(f"out/{job}/{version}/{k:06d}", msgspec.json.encode(answer))

    def answer(self, job: str, version: str, k: int) -> AttributionResponse:
        """Raises NotFound."""
        return self._read(f"out/{job}/{version}/{k:06d}", AttributionResponse)

    def answered(self, job: str, version: str) -> set[int]:
        """Numbers of the chunks that a version has answered."""
        return (
            {int(path.rpartition("/")[2]) for path in self._store.names(f"out/{job}/{version}")} if version else set()
        )

    def end(self, job: str, end: End) -> End:
        """How the job ended: as said here, or as was said before. What is then not needed any more is removed."""
        with suppress(Conflict):
            self._store.create(f"end/{job}", msgspec.json.encode(end))
        told = self.ended(job)
        if told is None:
            raise RegistryError(f"job {job} vanished while it ended: submit it again")
        kept = f"out/{job}/{told.version}/" if told.state == "done" else None
        self._clear(job, kept)
        return told

    def ended(self, job: str) -> End | None:
        try:
            raw = self._store.read(f"end/{job}")
        except NotFound:
            return None
        return readable(raw, End) or End("failed", "", "what was kept of its end is damaged: submit it again")

    def sweep(self, keep_s: float) -> None:
        """Forget jobs that ended, or never were whole, longer ago than that, and attributions that nobody fetched."""
        now = time.time()
        waiting = set(self.waiting())
        ends = {path.rpartition("/")[2]: at.timestamp() for path, at in self._store.written("end").items()}
        records = {path.rpartition("/")[2]: at.timestamp() for path, at in self._store.written("record").items()}
        for job in ends.keys() | records.keys():
            if job not in waiting and now - ends.get(job, records.get(job, now)) > keep_s:
                self._clear(job)
                for kind in ("record", "end"):
                    self._store.remove(f"{kind}/{job}")

    def _clear(self, job: str, kept: str | None = None) -> None:
        """Remove rows, answers but those below `kept`, lease and mark of a job."""
        for kind in KINDS:
            for path in self._store.names(f"{kind}/{job}"):
                if kept is None or not path.startswith(kept):
                    self._store.remove(path)
        for kind in ("lease", "open"):
            self._store.remove(f"{kind}/{job}")
        if self._store.directory is not None:
            with suppress(OSError):
                self._store.lock_of(f"lease/{job}").unlink()

    def _read(self, path: str, kind: type[T]) -> T:
        if (found := readable(self._store.read(path), kind)) is None:
            raise NotFound(f"{path} is damaged: submit the job again")
        return found

    def _put(self, path: str, raw: bytes) -> None:
        self._store.put(path, raw)

    @property
    def _store(self) -> Store:
        return self._open()
