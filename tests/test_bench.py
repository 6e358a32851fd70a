"""The bench's runner: what is there is kept, errors are recorded and asked again, pictures come from few cells."""

from __future__ import annotations

import json

import pytest

from benchmarks.accuracy import cells, known
from benchmarks.accuracy.__main__ import main
from benchmarks.record import saturates


def held(folder, group, name):
    return json.loads((folder / group / f"{name}.json").read_text())


def test_a_cell_is_run_once_and_an_error_is_asked_again(tmp_path):
    calls = []

    def fails_once():
        calls.append("b")
        if calls.count("b") == 1:
            raise ValueError("not today")
        return {"x": 2}

    todo = [("g", "a", lambda: calls.append("a") or {"x": 1}), ("g", "b", fails_once)]
    words = []
    assert cells.run(todo, tmp_path, step=lambda cell, word: words.append((cell[1], word))) == 1
    assert words == [("a", "runs"), ("a", "done"), ("b", "runs"), ("b", "ValueError: not today")]
    assert "not today" in held(tmp_path, "g", "b")["traceback"]
    assert [a["cell"] for a in cells.answers(tmp_path, "g")] == ["a"]
    assert cells.run(todo, tmp_path) == 0
    assert held(tmp_path, "g", "b")["x"] == 2
    assert cells.run(todo, tmp_path) == 0
    assert calls == ["a", "b", "b"]
    assert cells.run(todo, tmp_path, redo=True) == 0
    assert calls == ["a", "b", "b", "a", "b"]


def test_what_lacks_something_or_is_broken_is_asked_again(tmp_path):
    calls = []
    cell = ("g", "a", lambda: calls.append(1) or ({"incomplete": ["auto"]} if len(calls) == 1 else {"x": 1}))
    for _ in range(3):
        cells.run([cell], tmp_path)
    assert len(calls) == 2
    (tmp_path / "g" / "a.json").write_text('{"half')
    cells.run([cell], tmp_path)
    assert len(calls) == 3


def test_a_tiny_cell_of_a_known_world(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.accuracy.truth.CACHE", tmp_path)
    ratio = {}
    for method in ("exact", "independent", "gaussian", "copula", "empirical", "combined", "boosting"):
        answer = known.one("E3_c1", 2000, method, 8)
        ratio[method] = answer["functions"]["ols"][method]["mae"]
        assert answer["functions"]["ols"][method]["v_rmse"] > 0
    assert max(ratio["exact"], ratio["gaussian"], ratio["combined"]) < ratio["independent"]


def test_parts_share_the_cells_between_them(capsys):
    def listed(*arguments):
        assert main(["--list", *arguments]) == 0
        return capsys.readouterr().out.split()

    whole = listed("--quick")
    assert len(whole) == len(set(whole)) > 30
    assert sorted(listed("--quick", "--part", "0/2") + listed("--quick", "--part", "1/2")) == sorted(whole)
    every = listed()
    chosen, left = listed("--only", "truth/gaussian8"), listed("--skip", "emshap")
    assert chosen == [name for name in every if name.startswith("truth/gaussian8")]
    assert left == [name for name in every if "emshap" not in name]
    assert 0 < len(chosen) < len(left) < len(every)


def test_pictures_and_tables_from_a_few_cells(tmp_path):
    pytest.importorskip("matplotlib")
    from benchmarks.page import accuracy
    from benchmarks.record import Raw

    def numbers(mae):
        return {"mae": mae, "mae_rows": [mae] * 3, "mean_abs_phi": 1.0, "rms_error": mae, "rank": 0.9, "coverage": 0.9,
                "rms_stderr": mae, "fit_s": 0.0, "row_s": 0.1, "v_rmse": mae}  # fmt: skip

    for method, mae in (("exact", 0.1), ("gaussian", 0.2)):
        answer = {
            "world": "w",
            "rows": 1000,
            "method": method,
            "samples": 64,
            "functions": {"gam": {method: numbers(mae)}},
        }
        cells.run([("truth", f"w_1000_{method}", lambda answer=answer: answer)], tmp_path / "accuracy")
    for method, mse in (("gaussian", [2.0, 3, 4]), ("copula", [1.0, 2, 3])):
        answer = {"table": "t", "n": 3, "rows": 9, "methods": {method: {"mse_v": mse, "fit_s": 0.0, "row_s": 0.1}}}
        cells.run([("tables", f"t_{method}", lambda answer=answer: answer)], tmp_path / "accuracy")
    accuracy.draw(Raw(tmp_path), tmp_path)
    assert {p.name for p in tmp_path.glob("*.svg")} >= {"accuracy-truth.svg", "accuracy-tables.svg"}
    text = accuracy.text(Raw(tmp_path))
    assert "2.0" in text  # the ratio to the exact sampler
    assert "images/accuracy-truth.svg" in text
    assert "accuracy-calibration" not in text


@pytest.mark.parametrize(
    ("machine", "wanted"),
    [
        ({"cpu": "x86_64", "vnni": False}, True),
        ({"cpu": "x86_64", "vnni": True}, False),
        ({"cpu": "aarch64", "vnni": False}, False),
        ({"cpu": "x86_64", "vnni": None}, False),
        ({"cpu": "x86_64"}, False),  # kept before results said it
    ],
)
def test_eight_bits_saturate_on_x86_without_vnni(machine, wanted):
    assert saturates(machine) is wanted
