"""The walk of docs/federated-servers.md, command by command, in processes of their own: recorded answers come out."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import numpy as np
import pyarrow.parquet
import pytest

from ascribe.cli import app
from ascribe.core.errors import InputError
from tests.journey import ROOT
from tests.train.adapters.fate import real

from .worlds import ids, scores

PAGE = (ROOT / "docs" / "federated-servers.md").read_text()


def written(*words: str) -> list[str]:
    """The one command of the page that begins so, as arguments."""
    (line,) = [line for line in PAGE.splitlines() if line.startswith("    ascribe federated " + " ".join(words))]
    return line.split()[1:]


def at_home(arguments: list[str], **changes: str) -> list[str]:
    """Files where they are, addresses as they turn out."""
    held = [str(ROOT / a) if a.startswith("examples/") else a for a in arguments]
    for flag, value in changes.items():
        held[held.index(f"--{flag}") + 1] = value
    return [sys.executable, "-m", "ascribe", *held]


@contextmanager
def server(command: list[str], folder) -> Iterator[str]:
    """Yields its `ready` line, and stops it politely."""
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as held:
        try:
            ready = next((line for line in held.stdout if '"event":"ready"' in line), "")
            assert ready, held.stderr.read()
            threading.Thread(target=held.stdout.read, daemon=True).start()
            yield ready
            held.terminate()
            assert held.wait(60) == 0
        finally:
            held.kill()


def place(line: str, door: str = "grpc") -> str:
    return re.search(rf'"{door}":"([^"]+)"', line)[1]


def test_the_walk_of_the_page(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for role, out in (("host", "bank"), ("guest", "shop")):
        (line,) = [line for line in PAGE.splitlines() if line.endswith(f"--role {role} --out {out}")]
        here(line.split()[1:])
    with server(at_home(written("host --bundle bank --features"), listen="127.0.0.1:0"), tmp_path) as bank:
        bank_at = f"bank={place(bank)}"
        here(written("score"), host=bank_at)
        assert "569 of 569 rows, one exchange with each host" in capfd.readouterr().err
        shop = at_home(written("guest --bundle"), host=bank_at, http="127.0.0.1:0", grpc="127.0.0.1:0")
        with server(shop, tmp_path) as ready:
            asked = {"feature_vector": [{"id": "133", "values": dict(real.table("guest")["133"])}]}
            found = httpx.post(place(ready, "http") + "/v1/attributions", json=asked).json()
    recorded(tmp_path / "scores.parquet")
    (told,) = found["attributions"]
    assert told["attribution_shares"]["bank"] == pytest.approx(0.31893876, abs=1e-8)
    assert told["prediction"] == pytest.approx(scores()["133"][0], abs=1e-9)


def here(arguments: list[str], **changes: str) -> None:
    """The command in this process: it starts sooner."""
    app(at_home(arguments, **changes)[3:], standalone_mode=False)


def recorded(path) -> None:
    """Margins, scores and values as they were computed elsewhere."""
    table = pyarrow.parquet.read_table(path)
    parts = [*(f"x{i}" for i in range(10)), "bank"]
    assert table.column_names == ["id", "margin", "score", "base_value", *parts, "warnings"]
    held = {name: table[name].to_pylist() for name in table.column_names}
    assert held["id"] == ids()
    known = np.array([scores()[name] for name in held["id"]])
    np.testing.assert_allclose(np.c_[held["margin"], held["score"]], known, rtol=0, atol=1e-9)
    whole = held["base_value"] + np.sum([held[name] for name in parts], axis=0)
    np.testing.assert_allclose(whole, held["margin"], rtol=0, atol=1e-9)
    shapley = real.expected("secureboost", "expected_shapley")["ids"]
    assert len(shapley) == 12
    for who, row in shapley.items():
        at = held["id"].index(who)
        for name, value in row["shapley"].items():
            assert held["bank" if name == "HOST" else name][at] == pytest.approx(value, abs=1e-9)


def test_a_host_that_is_not_there_is_one_line_and_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASCRIBE_PARTY_CONNECT_S", "0.3")
    line = next(line for line in PAGE.splitlines() if line.endswith("--role guest --out shop"))
    here(line.split()[1:])
    with pytest.raises(
        InputError, match=r"no row is answered, policy fail: host:10000 at 127\.0\.0\.1:1 cannot be reached"
    ) as caught:
        here([word for word in written("score") if word != "--explain"], host="bank=127.0.0.1:1")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "scores.parquet").exists()
