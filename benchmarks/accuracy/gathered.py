"""Cells read back: by world and function, by table, by what was spent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.cells import answers
from benchmarks.accuracy.settings import SETTINGS

__all__ = ["Known", "calibrated", "estimated", "known", "name_of", "summed", "table_errors"]

WORDS = {
    "combined": "empirical + gaussian", "combined_copula": "empirical + copula", "emshap_plain": "emshap, no control",
    "shap_kernel": "shap Kernel", "shap_permutation": "shap Permutation", "shap_sampling": "shap Sampling",
    "clusters8": "3 clusters, n 8", "mixed7": "mixed types, n 7", "burr10": "Burr, n 10",
}  # fmt: skip

Known = dict[tuple[str, int, str], dict[str, dict[str, Any]]]  # (world, rows, function) -> method -> numbers


def known(folder: Path, group: str) -> Known:
    """Where the truth is known, in the order of the settings, then by number of rows and function; each number is the
    mean over draws of training rows, `mae_draws` has the errors of each.
    """
    drawn: dict[tuple[str, int, str], dict[str, list[dict[str, Any]]]] = {}
    for answer in answers(folder, group):
        for label, methods in answer["functions"].items():
            place = drawn.setdefault((answer["world"], answer["rows"], label), {})
            for method, numbers in methods.items():
                place.setdefault(method, []).append(numbers)
    order = {s.name: k for k, s in enumerate(SETTINGS)}
    keys = sorted(drawn, key=lambda key: (order.get(key[0], len(order)), key))
    return {key: {method: _meant(numbers) for method, numbers in drawn[key].items()} for key in keys}


def _meant(draws: list[dict[str, Any]]) -> dict[str, Any]:
    kept = {name for name, value in draws[0].items() if isinstance(value, float)}
    means = {name: float(np.mean([one[name] for one in draws if name in one])) for name in kept}
    return means | {"mae_draws": [one["mae"] for one in draws]}


def name_of(name: str) -> str:
    """A method or a world in words."""
    world, _, rho = name.partition("_rho")
    if rho:
        return f"{world.replace('gaussian', 'Gaussian, n ')}, rho {int(rho) / 100:g}"
    return WORDS.get(name, name.replace("_c", ", c ").replace("_", " "))


def summed(held: Known) -> dict[str, dict[str, Any]]:
    """By method, over worlds and functions that it was run on, `cells` of them: error over that of the exact sampler by
    number of rows (median over them, worst of all draws), rank agreement, coverage and seconds (medians).
    """
    found: dict[str, dict[str, list[float]]] = {}
    for (_, rows, _), methods in held.items():
        for method, numbers in methods.items():
            kept = found.setdefault(method, {})
            if "exact" in methods:
                for key, error in (("ratio", numbers["mae"]), ("worst_ratio", max(numbers["mae_draws"]))):
                    kept.setdefault(f"{key}_{rows}", []).append(error / methods["exact"]["mae"])
            for key in ("rank", "coverage", "fit_s", "row_s"):
                if key in numbers:
                    kept.setdefault(key, []).append(numbers[key])
    return {
        method: {key: float((np.max if key.startswith("worst") else np.median)(v)) for key, v in kept.items()}
        | {"cells": max(map(len, kept.values()))}
        for method, kept in found.items()
    }


def table_errors(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """By table and method: mean MSE_v, its ratio to the least, and 1.96 standard errors of the difference to the least
    over rows (paired), on the scale of the ratio.
    """
    rows: dict[str, dict[str, np.ndarray]] = {}
    more: dict[str, dict[str, dict[str, Any]]] = {}
    for answer in answers(folder, "tables"):
        for method, numbers in answer["methods"].items():
            rows.setdefault(answer["table"], {})[method] = np.array(numbers["mse_v"])
            seconds = {key: numbers[key] for key in ("fit_s", "row_s")}
            more.setdefault(answer["table"], {})[method] = seconds | {"n": answer["n"], "rows": answer["rows"]}
    held: dict[str, dict[str, dict[str, Any]]] = {}
    for table, errors in rows.items():
        best = min(errors, key=lambda m: errors[m].mean())
        least = errors[best].mean()
        held[table] = {}
        for method, e in errors.items():
            gap = e - errors[best]
            half = 1.96 * gap.std(ddof=1) / np.sqrt(len(gap)) / least
            held[table][method] = {
                "mse_v": float(e.mean()),
                "ratio": float(e.mean() / least),
                "half": float(half),
                **more[table][method],
            }
    return held


def calibrated(folder: Path) -> dict[str, dict[str, Any]]:
    """By fit and what was spent on it (coalitions x completions), in the order of their numbers."""
    found = {}
    for a in answers(folder, "calibration"):
        for spent in sorted(a["spent"], key=lambda s: [float(k) for k in re.findall(r"[\d.]+", s)]):
            n, _, rest = spent.partition("_")
            words = rest.replace("x", " x ").replace("target", "target ")
            found[f"{a['method']}, n {n[1:]}, {words}"] = a["spent"][spent]
    return found


def estimated(folder: Path) -> dict[str, dict[str, list[tuple[int, dict[str, Any]]]]]:
    """Cells of `marginal` by game and estimator: (budget, numbers); a sparse game's budget is always the same (0)."""
    held: dict[str, dict[str, list[tuple[int, dict[str, Any]]]]] = {}
    for a in answers(folder, "marginal"):
        found = re.fullmatch(r"(marginal|calibration|sparse)_(\w+?)_(?:(\d+)_)?([a-z]\w*)", a["cell"])
        if found:
            kind, game, budget, estimator = found.groups()
            place = held.setdefault(f"{kind} {game}", {}).setdefault(estimator, [])
            place.append((int(budget or 0), a))
    return {game: {name: sorted(v, key=lambda x: x[0]) for name, v in lines.items()} for game, lines in held.items()}
