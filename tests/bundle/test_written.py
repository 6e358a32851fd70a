"""A file is written whole, or what was there stays."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from ascribe.bundle.tables import write_parquet
from ascribe.bundle.written import write_whole
from ascribe.core.errors import InputError

MUCH = """
import sys
from pathlib import Path
from resource import RLIMIT_FSIZE, setrlimit

import numpy as np

from ascribe.bundle.tables import write_parquet

setrlimit(RLIMIT_FSIZE, (1 << 14, 1 << 14))
write_parquet({"x": np.random.default_rng(0).random(1 << 16)}, Path(sys.argv[1]))
"""


def test_folders_are_made_and_what_was_there_is_replaced(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_whole(path, "one")
    assert write_whole(path, b"zwei") == path
    assert path.read_text() == "zwei" and list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    path = write_whole(tmp_path / "b.txt", "one")

    def full(self: Path, raw: bytes) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"No space left on device.*: free some space"):
        write_whole(path, "two")
    assert path.read_text() == "one" and list(tmp_path.iterdir()) == [path]


def test_a_table_that_finds_no_room_leaves_what_was_there(tmp_path):
    """The limit is the system's own, of a process apart: what it refuses, it refuses in the middle of the file."""
    path = tmp_path / "t.parquet"
    write_parquet({"x": [1.0]}, path)
    held = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", MUCH, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "InputError: cannot write" in done.stderr
    assert path.read_bytes() == held and list(tmp_path.iterdir()) == [path]


def test_a_place_that_is_no_folder_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write .*: choose a folder that is yours"):
        write_whole(tmp_path / "file" / "b.txt", "one")
