"""Cells of the ablation: what each part of EmSHAP brings, on real tables and on the Burr law.

    nll     - log q(x_u | x_S) of held-out rows, uniform sizes, nats a row       (columns compare, levels do not)
    mse_v   by completions without a control variate, 64 and 1,024 of them, boosted trees as f

`mixture` is the proposal without a network; the encoders correct it. The energy is judged at 64 and at 1,024.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.cells import answers

__all__ = ["cells", "one", "page"]

TABLES = ("abalone", "kepler_nx12", "ETTh1")
ROWS, COALITIONS, MOST = 100, 32, 4000
VARIANTS: dict[str, dict[str, Any]] = {
    "gru": {},
    "mlp": {"encoder": "mlp"},
    "set": {"encoder": "set"},
    "mixture": {"encoder": None},
    "one component": {"components": 1},
    "gru, masks by rate": {"masking": "linear"},
    "gru, masks by size": {"masking": "uniform"},
}


def cells(quick: bool = False) -> list[tuple[str, str, Any]]:
    """(group, name, callable)."""
    found = [(name, label) for name in (TABLES[:1] if quick else TABLES) for label in VARIANTS]
    return [
        ("ablation", f"{name}_{label.replace(', ', '_').replace(' ', '_')}", partial(one, name, label))
        for name, label in found
    ]


def one(name: str, label: str) -> dict[str, Any]:
    """One variant on one table."""
    import torch

    from ascribe.core.judge import mse_v
    from ascribe.train.emshap.densities import log_q
    from ascribe.train.emshap.masking import observed_masks
    from ascribe.train.families.emshap import EmShapOptions, fit_emshap
    from ascribe.train.settings import computing
    from ascribe.train.values.conditional import open_fit
    from benchmarks.accuracy.data import table
    from benchmarks.accuracy.tables import explained

    t = table(name)
    X, held = t.X[np.linspace(0, len(t.X) - 1, min(MOST, len(t.X))).astype(int)], t.X_held
    f = explained(t)
    begin = time.process_time()
    with computing():
        fit = fit_emshap(X, 0, options=replace(EmShapOptions(), **VARIANTS[label]))
        seconds = time.process_time() - begin
        rng = np.random.default_rng(1)
        held = held[rng.permutation(len(held))]
        z = torch.as_tensor(fit.scores.randomise(held[:2000], rng)).float()
        middle = torch.as_tensor(fit.scores.forward(held[:2000])).float()
        observed = torch.as_tensor(observed_masks(len(z), X.shape[1], 1.0, rng, "uniform"))
        seen = torch.where(observed, middle, z)
        with torch.no_grad():
            nll = -log_q(fit.proposal(seen, observed), seen, observed).numpy()
        laws = {weighting: open_fit(fit, X, weighting) for weighting in ("proposal", "energy")}
    errors = {
        f"{weighting}_{s}": [float(f"{e:.6g}") for e in mse_v(f, law, held[:rows], COALITIONS, s, 0).rows]
        for weighting, law in laws.items()
        for s, rows in ((64, ROWS), (1024, ROWS // 4))
    }
    return {
        "table": name, "variant": label, "rows": len(X), "components": fit.proposal.c, "fit_s": seconds,
        "kept": fit.proposal.encoder is not None, "nll": float(nll.mean()), "mse_v": errors,
    }  # fmt: skip


def page(folder: Path) -> str:
    """Markdown, or nothing without cells."""
    held: dict[str, dict[str, dict[str, Any]]] = {}
    for a in answers(folder, "ablation"):
        held.setdefault(a["table"], {})[a["variant"]] = a
    if not held:
        return ""
    lines = [
        "| table | variant | components | network kept | nats a row | MSE_v, 64 | with energy | MSE_v, 1,024 "
        "| with energy | fit s |"
    ]
    lines.append("|" + "---|" * 10)
    for name, variants in held.items():
        for label in (v for v in VARIANTS if v in variants):
            a = variants[label]
            numbers = [
                f"{np.mean(a['mse_v'][k]):.4g}" for k in ("proposal_64", "energy_64", "proposal_1024", "energy_1024")
            ]
            lines.append(
                f"| {name} | {label} | {a['components']} | {'yes' if a['kept'] else 'no'} | {a['nll']:.3f} | "
                + " | ".join(numbers) + f" | {a['fit_s']:.0f} |"
            )  # fmt: skip
    text = (
        f"At most {MOST:,} training rows; {ROWS} held-out rows at 64 completions, a quarter of them at 1,024. `kept` "
        "says whether the gate kept the network's correction: where not, it is the mixture on every row.\n"
    )
    return "### What each part brings\n\n" + text + "\n" + "\n".join(lines) + "\n"
