"""`ascribe demo`: the whole journey on a sixth of real telemetry, and once more where everything is there already."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from ascribe.bundle.registry import Registry
from ascribe.train.lake.lake import Lake

COMMAND = [sys.executable, "-m", "ascribe", "demo", "--quick"]
PLACE = Path("runs", "demo")
WATTS = re.compile(r"[+-]?\d+\.\d\d(?= W)")  # what stands behind +- has none


@pytest.fixture(scope="module")
def told(demonstrated) -> tuple[Path, str]:
    place, said = demonstrated
    return place / PLACE, said


def test_it_ends_with_a_model_in_production(told):
    place, out = told
    (version,) = Registry(str(place / "registry")).versions("node-power")
    assert Registry(str(place / "registry")).resolve("node-power", "production").manifest.version() == version
    assert f"promoted: production is {version}" in out
    assert Lake(str(place / "lake")).count() > 2000
    assert f"ascribe serve --registry {PLACE / 'registry'} --model node-power --lake {PLACE / 'lake'}" in out


def test_watts_add_up_to_the_prediction_and_both_doors_agree(told):
    _, out = told
    assert "answered; equal bit for bit" in out
    rows = [line.partition("  ") for line in out[out.index(" counter ") :].splitlines()]
    watts = {name.strip(): [float(x) for x in WATTS.findall(rest)] for name, _, rest in rows}
    watts = {name: held for name, held in watts.items() if len(held) == 2}
    parts = [held for name, held in watts.items() if name[0] != "=" and name != "unexplained"]
    assert len(parts) > 10
    for moment in (0, 1):
        predicted = watts["= predicted"][moment]
        assert sum(part[moment] for part in parts) == pytest.approx(predicted, abs=0.005 * (len(parts) + 1))
        assert predicted + watts["unexplained"][moment] == pytest.approx(watts["= measured"][moment], abs=0.011)


def test_its_picture_is_one(told):
    raw = (told[0] / "waterfall.png").read_bytes()
    assert raw.startswith(b"\x89PNG") and len(raw) > 20_000


@pytest.mark.slow
@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)], ids=["Ctrl-C", "kill"])
def test_at_a_terminal_it_serves_on_until_it_is_stopped(told, sign, code):
    place, _ = told
    before = Registry(str(place / "registry")).versions("node-power")
    ours, theirs = os.openpty()
    plain = os.environ | {"TERM": "dumb", "NO_COLOR": "1"}
    command = [*COMMAND, "--dir", place]  # its whole path, which is another than where it ran
    running = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=plain, cwd=place.parents[1])
    os.close(theirs)
    said = ""
    try:
        while "Ctrl-C stops" not in said:
            said += os.read(ours, 4096).decode()
        page = re.search(r"the page: (http://[\d.:]+/)", said)
        assert page is not None, said
        assert "<title>" in httpx.get(page[1]).text
        running.send_signal(sign)
        with suppress(OSError):  # the end of a terminal
            while more := os.read(ours, 4096):
                said += more.decode()
        assert running.wait(60) == code
        with pytest.raises(httpx.ConnectError):
            httpx.get(page[1])
    finally:
        running.terminate()
    assert "Traceback" not in said
    assert Registry(str(place / "registry")).versions("node-power") == before  # nothing was done again
