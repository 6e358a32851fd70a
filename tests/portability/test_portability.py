"""A compiled explanation gives the same numbers in a second language: native ONNX Runtime and its WebAssembly build,
both under Node.js. The network bundle is trained and compiled by the commands that a user types.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from ascribe.bundle.archive import open_directory
from ascribe.bundle.holdout import holdout
from tests.journey import ROOT, sampled, train, typed

HERE = Path(__file__).parent
RUNTIMES = ("onnxruntime-node", "onnxruntime-web")
GRAPHS = ("bundle/explain.onnx", "bundle/explain_fast.onnx", "bundle/explain_accurate.onnx", "alone/explain.onnx")
CLOSE = 1e-5  # of a row's largest value
ROWS, BROKEN = 5, 2


@pytest.fixture(scope="module")
def node():
    """Node.js with the runtimes that the lock file names."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        pytest.skip("Node.js with npm is not installed: the second runtime was not asked")
    missing = [name for name in RUNTIMES if not (HERE / "node_modules" / name).is_dir()]
    assert not missing, f"{', '.join(missing)} not installed: `make test` does it, or `npm ci` in {HERE.name}"
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with `bundle`, whose three tiers are compiled (`fast` by training; `accurate` draws completions), and a
    graph `alone`.
    """
    place = tmp_path_factory.mktemp("portable")
    (place / "alone").mkdir()
    rows = sampled(place / "rows.parquet", 24)
    done = train(rows, place / "bundle", "--family", "power_mlp", by=typed)
    assert done.returncode == 0, done.stderr
    for words in (
        ("--standalone", place / "alone" / "explain.onnx"),
        ("--tier", "accurate", "--value", "completions", "--samples", 8),
    ):
        done = typed("compile", place / "bundle", *words)
        assert done.returncode == 0, done.stderr
    return place


def batches(place: Path) -> tuple[np.ndarray, np.ndarray]:
    """Held-out rows (ROWS, n), and the same with NaN in row BROKEN."""
    rows = holdout(open_directory(place / "bundle"))[0][:ROWS].astype(np.float32)
    broken = rows.copy()
    broken[BROKEN, 0] = np.nan
    return rows, broken


def asked(node: str, runtime: str, graph: Path, batches: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """The outputs of a graph under Node.js, batch by batch."""
    done = in_node(node, runtime, graph, batches)
    assert done.returncode == 0, done.stderr
    return [
        {name: np.array(held["data"], dtype=float).reshape(held["dims"]) for name, held in outputs.items()}
        for outputs in json.loads(done.stdout)
    ]


def in_node(node: str, runtime: str, graph: Path, batches: list[np.ndarray]) -> subprocess.CompletedProcess[str]:
    texts = [[[x if np.isfinite(x) else str(x) for x in row] for row in rows.tolist()] for rows in batches]
    return subprocess.run(
        [node, HERE / "explain.mjs", runtime, graph],
        input=json.dumps(texts), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def in_python(graph: Path, rows: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"x": rows}), strict=True))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("graph", GRAPHS)
def test_the_numbers_are_those_of_python(node, place, graph, runtime):
    rows, broken = batches(place)
    five, one, hurt = asked(node, runtime, place / graph, [rows, rows[:1], broken])

    for found, batch in ((five, rows), (one, rows[:1])):
        wanted = in_python(place / graph, batch)
        assert set(found) == set(wanted)
        largest = np.abs(wanted["attribution"]).max(axis=1)
        assert (largest > 0).all()
        for name, values in wanted.items():
            assert found[name].shape == values.shape, name
        for name in ("attribution", "stderr"):
            assert (np.abs(found[name] - wanted[name]).max(axis=1) <= CLOSE * largest).all(), name
        for name in ("prediction", "base_value", "ess"):
            np.testing.assert_allclose(found[name], wanted[name], rtol=CLOSE, err_msg=name)
        total = found["base_value"] + found["attribution"].sum(axis=1)
        np.testing.assert_allclose(total, found["prediction"], rtol=CLOSE)

    assert_only_the_broken_row_differs(hurt, five)


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_row_without_a_number_leaves_its_neighbours_alone(place, graph):
    rows, broken = batches(place)
    assert_only_the_broken_row_differs(in_python(place / graph, broken), in_python(place / graph, rows))


def assert_only_the_broken_row_differs(hurt: dict[str, np.ndarray], clean: dict[str, np.ndarray]) -> None:
    whole = np.arange(ROWS) != BROKEN
    assert np.isnan(hurt["attribution"][BROKEN]).all()
    for name, values in clean.items():
        np.testing.assert_array_equal(hurt[name][whole], values[whole], err_msg=name)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_graph_without_its_neighbours_names_the_file_that_it_lacks(node, place, runtime, tmp_path):
    lonely = shutil.copy(place / "bundle" / "explain.onnx", tmp_path)
    done = in_node(node, runtime, lonely, [np.zeros((1, 6), np.float32)])
    assert done.returncode != 0
    neighbours = {path.name for path in (place / "bundle").glob("*.onnx")} - {"explain.onnx"}
    assert any(name in done.stderr for name in neighbours), done.stderr[-2000:]


def test_the_page_shows_the_lines_that_run():
    page = (ROOT / "docs" / "callers.md").read_text()
    assert (HERE / "ask.mjs").read_text() in re.findall(r"```js\n(.*?)```", page, re.DOTALL)


def test_the_lock_pins_every_package_and_names_no_address():
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    packages = json.loads((HERE / "package-lock.json").read_text())["packages"]
    held = {name.removeprefix("node_modules/"): entry for name, entry in packages.items() if name}
    assert {name: held[name]["version"] for name in wanted} == wanted
    assert set(RUNTIMES) < set(wanted)
    assert all("integrity" in entry and "resolved" not in entry for entry in held.values())
