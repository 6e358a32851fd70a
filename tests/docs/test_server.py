"""What pages ask of a server: their Python and their curl, of a real one."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator

import pyarrow as pa
import pytest

from ascribe.bundle.archive import open_directory
from ascribe.bundle.registry import Registry
from ascribe.serve.app import Addresses, running
from ascribe.serve.settings import Settings
from ascribe.train.compile import Wanted, compile_bundle
from tests.bundle import made
from tests.docs.blocks import blocks

NAME, ROW = "node-power", {"busy": 0.6, "ghz": 2.5, "misses": 9.0}
PYTHON = [block for block in blocks() if block.language == "python" and block.mark == "needs a server"]
SHARES = [block for block in PYTHON if "\nshares = " in block.text]  # a table, or watts by name
CURL = [b for b in blocks() if b.language == "shell" and b.text.startswith("curl") and "8080" in b.text]
NOT_OURS = ("cat.jpg", "/v1/forecasts")  # of other models: test_blocks.py reads these


@pytest.fixture(scope="module")
def at(tmp_path_factory) -> Iterator[Addresses]:
    place = tmp_path_factory.mktemp("server")
    made.made(place / "bundle", amortized=True)
    compile_bundle(place / "bundle", [Wanted("balanced"), Wanted("fast")], lambda _: None)
    registry = Registry(str(place / "registry"))
    registry.promote(NAME, registry.publish(NAME, open_directory(place / "bundle")), "2026-11-01T00:00:00Z")
    with running(registry.uri, [NAME], Settings(), write=lambda line: None) as at:
        yield at


def here(text: str, at: Addresses) -> str:
    return text.replace("127.0.0.1:8080", at.http.removeprefix("http://")).replace("127.0.0.1:50051", at.grpc)


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_asks_it(block, at):
    held = {"__name__": "page", "table": pa.table({name: [value] for name, value in ROW.items()})}
    exec(compile(here(block.text, at), str(block), "exec"), held)
    if block in SHARES:
        assert len(held["shares"]) in (1, 3)


def test_some_pages_show_shares():
    assert SHARES


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
@pytest.mark.parametrize("block", [b for b in CURL if not any(word in b.text for word in NOT_OURS)], ids=str)
def test_curl_asks_it(block, at, tmp_path):
    row = json.dumps({"feature_vector": {"values": ROW, "measured_w": 101.5}})
    (tmp_path / "runs" / "demo").mkdir(parents=True)
    (tmp_path / "runs" / "demo" / "request.json").write_text(row)
    (tmp_path / "rows.csv").write_text("busy,ghz,misses\n0.6,2.5,9.0\n")
    (tmp_path / "lines").write_text(row + "\n")
    script = here(block.text, at).replace("curl -s", "curl --fail-with-body -s")
    done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout
