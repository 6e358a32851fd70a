"""A small real bundle, made by the commands that a user types."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import polars as pl

ROOT = Path(__file__).parents[1]
DATA = ROOT / "examples" / "data" / "xeon_e5_2650.parquet"
UNITS = ROOT / "examples" / "units_power.toml"
TARGET = "powerWatts"
MOBILENET = (  # from ROOT, as docs/adopt.md has it; `--out` follows
    "import examples/data/models/mobilenet_v1_0.25_128.onnx --background examples/data/images --mean 128 "
    "--scale 0.0078125 --labels examples/data/models/imagenet_labels_1001.txt"
)
FEATURES = ("cpu_user", "cpu_wio", "cpu-cycles", "instructions", "interrupts", "mem_free")


def ascribe(*words: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, as a process of its own."""
    command = [sys.executable, "-m", "ascribe", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=os.environ | environment, timeout=300, check=False
    )


def typed(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The same command in this process, which has imported torch already: two to four seconds less.

    What a process adds (its start, signals, what it imports) is asked of `ascribe` once for each command.
    """
    from ascribe import cli  # not before a plugin of the tests has hooked into its imports

    line = ["ascribe", *map(str, words)]
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with (
        mock.patch.object(sys, "argv", line),
        mock.patch.dict(os.environ),
        contextlib.chdir(cwd or Path.cwd()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        before = {sig: signal.getsignal(sig) for sig in (signal.SIGINT, signal.SIGTERM)}
        try:
            cli.main()
        except SystemExit as stopped:
            code = stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
        finally:
            for sig, handler in before.items():
                if signal.getsignal(sig) is not handler:
                    signal.signal(sig, handler)
    return subprocess.CompletedProcess(line, code, *(held.buffer.getvalue().decode() for held in (out, err)))


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The only line of a failed command's error stream; a traceback or a second line fails."""
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("ascribe: "), lines[0]
    return lines[0]


def train(
    data: Path, out: Path, *more: object, by: Callable[..., subprocess.CompletedProcess[str]] = ascribe
) -> subprocess.CompletedProcess[str]:
    """`ascribe train` on the six features."""
    return by(
        "train", "--data", data, "--target", TARGET, "--features", ",".join(FEATURES), "--time", "seq",
        "--group", "source,workload", "--units", UNITS, "--out", out, "--max-seconds", 1, *more,
    )  # fmt: skip


def sampled(place: Path, every: int = 6) -> Path:
    """Every sixth row of the real telemetry, which holds three impossible percentages."""
    pl.read_parquet(DATA).gather_every(every).write_parquet(place)
    return place
