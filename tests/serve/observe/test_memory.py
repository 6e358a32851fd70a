"""What a freed model's memory becomes, asked of glibc in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from ascribe.serve.observe import memory

PROGRAM = """
import ctypes
from ascribe.serve.observe import memory
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd a b c d e".split()]
ask = ctypes.CDLL(None).mallinfo2
ask.restype = Info
SETTLE
first = bytearray(12 << 20)
del first                      # glibc by itself takes this as a reason to keep the next one
before = ask().hblkhd
second = bytearray(8 << 20)
print(ask().hblkhd - before >= 8 << 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_large_memory_goes_back_when_it_is_freed_once_that_is_settled():
    def mapped_alone(settle: str) -> str:
        program = PROGRAM.replace("SETTLE", settle)
        return subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout.strip()

    assert mapped_alone("assert memory.settle()") == "True"
    assert mapped_alone("") == "False"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_freed_memory_is_given_back():
    assert memory.trim()


def test_a_model_that_is_set_apart_is_freed_without_the_collector(tmp_path):
    program = f"""
import gc, weakref
from pathlib import Path
from ascribe.bundle.archive import open_directory
from ascribe.bundle.runtime import load
from ascribe.serve.observe import memory
from tests.bundle import made
made.made(Path({str(tmp_path / "bundle")!r}))
model = load(open_directory(Path({str(tmp_path / "bundle")!r})))
held = weakref.ref(model.predict), weakref.ref(model)
memory.set_apart()
assert gc.get_freeze_count() > 10_000
del model
print(*[ref() is None for ref in held])
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["True", "True"]
