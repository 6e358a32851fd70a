"""A bundle of eleven features or fewer, as `ascribe train` writes one, but made of plain graphs: no training."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.feather

from ascribe.bundle.archive import Bundle, entry, open_directory, write
from ascribe.bundle.manifest import FORMAT, Amortized, Conditional, Lineage, Manifest, Target
from ascribe.bundle.runtime import graph_predict
from ascribe.core.features import Feature
from ascribe.core.scaling import fit_scores
from tests.bundle.made import npz

from .programs import a_control, a_mixture, rows_of
from .small_graphs import energy_graph, graph, predict_graph, proposal_graph, surrogate_graph

N = 11


def parts(
    energy: bool = False, predict: bytes | None = None, value: str = "surrogate", n: int = N, **metrics: Any
) -> tuple[Manifest, dict[str, bytes]]:
    """With a mixture, a proposal, a control, a surrogate and a one-pass explainer."""
    names = [f"x{j}" for j in range(n)]
    X, held = rows_of(n, 400), rows_of(n, 80, seed=5)
    predict = predict or predict_graph(n)
    f = graph_predict(predict, "predict")
    table = {name: held[:, j] for j, name in enumerate(names)} | {"power": f(held), "row": np.arange(len(held))}
    out = io.BytesIO()
    pyarrow.feather.write_feather(pa.table(table), out, compression="uncompressed")
    w = np.arange(1.0, n + 1)
    files = {
        "predict.onnx": predict,
        "proposal.onnx": proposal_graph(n, 2, 2),
        "surrogate.onnx": surrogate_graph(n, width=64),
        "amortized.onnx": graph(f"a (float[rows,{n}] x) => (float[rows,{n}] attribution) {{ attribution = Mul(x, w) }}",
                                w=w),
        "scores.npz": npz(table=fit_scores(X).table),
        "background.npz": npz(background=X[:128]),
        "mixture.npz": npz(**a_mixture(n, 2, 2).arrays()),
        "control.npz": npz(**a_control(n, cubic=True).arrays()),
        "holdout.arrow": out.getvalue(),
    }  # fmt: skip
    if energy:
        files["energy.onnx"] = energy_graph(n, 0.5)
    x = held[3].astype(np.float32).astype(float)
    manifest = Manifest(
        format=FORMAT, created="2026-11-01T00:00:00Z", family="made",
        features=[Feature(name, "ratio", low=-99.0, high=99.0).to_json() for name in names],
        target=Target("power", "W"),
        roles={name.split(".")[0]: name for name in files}, files={name: entry(raw) for name, raw in files.items()},
        base_value=float(f(X).mean()), metrics=metrics, lineage=Lineage("made", "0" * 64, "0", 0, {}, {"fit": 400}),
        example={"x": x.tolist(), "prediction": f(x[None]).tolist()}, scaling={},
        conditional=Conditional("emshap", "energy" if energy else "proposal", 2, 2, "", value, [0.5] * (n + 1)),
        amortized=Amortized("surrogate", [0.5] * n, 0.9, 80),
    )  # fmt: skip
    return manifest, files


def bundled(directory: Path, without: tuple[str, ...] = (), **changes: Any) -> Bundle:
    """On disk; `without` some roles."""
    manifest, files = parts(**changes)
    gone = {manifest.roles[role] for role in without}
    kept: dict[str, Any] = {
        "roles": {role: name for role, name in manifest.roles.items() if name not in gone},
        "files": {name: held for name, held in manifest.files.items() if name not in gone},
    }
    if "amortized" in without:
        kept["amortized"] = None
    write(directory, msgspec.structs.replace(manifest, **kept), {k: v for k, v in files.items() if k not in gone})
    return open_directory(directory)
