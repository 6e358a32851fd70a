"""An answer, a report or a picture as a file: whole, or not at all."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ascribe.core.errors import InputError

__all__ = ["unwritable", "write_whole", "writing"]


def write_whole(path: Path, raw: bytes | str) -> Path:
    """Raises InputError as `writing` does."""
    with writing(path) as part:
        part.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    return path


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A place beside `path` to write to, moved there in the end: what was there stays until all is written. Folders are
    made.

    Raises InputError if the place cannot be written; then, as after any other error, nothing is left of it.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as exc:
        raise unwritable(path, exc) from exc
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def unwritable(path: Path, exc: OSError) -> InputError:
    """What is said of a place that cannot be written, and what to do."""
    todo = "free some space" if exc.errno == errno.ENOSPC else "choose a folder that is yours"
    return InputError(f"cannot write {path} ({exc.strerror or exc}): {todo}")
