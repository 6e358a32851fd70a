"""Which code this is: a stage done by other code is another stage."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

__all__ = ["code_version"]

ROOMS = ("core", "bundle", "train")  # whose code decides what a run makes


@lru_cache(maxsize=1)
def code_version() -> str:
    """The release, and the first digits of the sha256 over the source files of the offline rooms: between releases
    too, changed code is new code.
    """
    package = Path(__file__).resolve().parents[2]
    held = hashlib.sha256()
    for path in sorted(path for room in ROOMS for path in (package / room).rglob("*.py")):
        held.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{version('ascribe')}+{held.hexdigest()[:12]}"
