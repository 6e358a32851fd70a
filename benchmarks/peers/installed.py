"""Environments of the peers, made at their first use; a peer that does not install is told, and left out."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

__all__ = ["PEERS", "Absent", "Peer", "installed", "served", "version"]

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "peers"
INSTALL_S, START_S = 900, 120
JSON = {"Content-Type": "application/json"}


class Absent(RuntimeError):
    """A peer that does not install, or does not come up."""


@dataclass(frozen=True)
class Peer:
    """`needs`: what pip installs; `path`: where predictions are asked; `body`: `rows` (a list of rows under "rows") or
    `v2` (the open inference protocol); `explains`: paths where explanations are asked.
    """

    needs: tuple[str, ...]
    path: str = "predict"
    body: str = "rows"
    explains: tuple[str, ...] = ()


PEERS = {
    "fastapi": Peer(("fastapi", "uvicorn[standard]", "shap", "xgboost"),
                    explains=("explain_kernel", "explain_trees")),
    "mosec": Peer(("mosec",), "inference"),
    "litserve": Peer(("litserve",)),
    "bentoml": Peer(("bentoml",)),
    "mlserver": Peer(("mlserver",), "v2/models/m/infer", "v2"),
}  # fmt: skip


def installed(name: str) -> str:
    """Python of the peer's environment. Raises Absent with pip's last words where it does not install."""
    place = CACHE / name
    python, done = place / "bin" / "python", place / ".installed"
    if not done.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        try:
            found = subprocess.run(
                [*command, "numpy", "onnxruntime", *PEERS[name].needs], capture_output=True, text=True,
                timeout=INSTALL_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired as exc:
            raise Absent(f"pip took more than {INSTALL_S} s") from exc
        if found.returncode:
            raise Absent(found.stderr.strip().rsplit("\n", 1)[-1][:300])
        done.write_text("")
    return str(python)


def version(name: str) -> str:
    command = [installed(name), "-c", f"from importlib.metadata import version; print(version({name!r}))"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def served(name: str, model: Path, rows: Path, first: bytes) -> Iterator[tuple[str, int]]:
    """Its URL and process, once it answers a `first` body. Raises Absent where it does not install or come up."""
    python, peer, port = installed(name), PEERS[name], _free_port()
    log = CACHE / f"{name}.log"
    with log.open("w") as said, subprocess.Popen(
        [python, str(Path(__file__).with_name(f"{name}_peer.py")), str(port)], stdout=said, stderr=said, cwd=CACHE,
        start_new_session=True, env={**os.environ, "MODEL_ONNX": str(model), "ROWS_NPY": str(rows), "PYTHONPATH": ""},
    ) as process:  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(f"{url}/{peer.path}", first, process, log)
            yield url, process.pid
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with suppress(ProcessLookupError):  # some leave their workers behind
                os.killpg(process.pid, signal.SIGKILL)


def _wait(url: str, body: bytes, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.post(url, content=body, headers=JSON, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise Absent(f"it does not come up: {json.dumps(log.read_text()[-300:])}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
