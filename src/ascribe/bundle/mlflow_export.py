"""A version as an MLflow model directory, for houses that keep their models there. A copy: nothing is read back.

MLmodel            flavours `onnx` and `python_function`, signature, metadata (JSON, which is YAML too)
model.onnx         the `predict` graph: `x (rows, n)` float32 in natural units -> `prediction (rows,)`
metrics.json       held-out errors as plain numbers
tags.json          name, version, unit, labels, where the data came from
requirements.txt   what the graph runs on
ascribe/           the whole bundle, which explains as well
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ascribe.bundle.archive import Bundle, write
from ascribe.core.errors import InputError

__all__ = ["export_mlflow"]

GRAPH, BUNDLE = "model.onnx", "ascribe"


def export_mlflow(bundle: Bundle, name: str, place: Path) -> None:
    """Write the directory. Raises InputError if it is not empty or cannot be written, and as `Bundle.read`."""
    manifest = bundle.manifest
    graph, contents = bundle.read("predict"), bundle.contents()
    metrics, tags = _numbers(manifest.metrics.get("holdout", {})), _tags(bundle, name)
    libraries = manifest.lineage.options.get("libraries", {})
    python = str(manifest.lineage.options.get("python", ""))
    record = {
        "artifact_path": name,
        "flavors": {
            "onnx": {
                "data": GRAPH, "onnx_version": libraries.get("onnx", ""), "code": None,
                "providers": ["CPUExecutionProvider"], "onnx_session_options": None,
            },
            "python_function": {
                "loader_module": "mlflow.onnx", "data": GRAPH, "python_version": python,
                "env": {"virtualenv": "requirements.txt"},
            },
        },
        "model_uuid": manifest.version(),
        "utc_time_created": manifest.created,
        "model_size_bytes": len(graph),
        "signature": {
            "inputs": _tensor("x", [-1, len(manifest.features)]), "outputs": _tensor("prediction", [-1]),
            "params": None,
        },
        "metadata": {"features": manifest.features, "tags": tags, "metrics": metrics},
    }  # fmt: skip
    needed = [f"{library}=={libraries[library]}\n" for library in ("numpy", "onnxruntime") if library in libraries]
    files = {
        "MLmodel": _json(record), GRAPH: graph, "metrics.json": _json(metrics), "tags.json": _json(tags),
        "requirements.txt": "".join(needed).encode(),
    }  # fmt: skip
    try:
        if place.exists() and any(place.iterdir()):
            raise InputError(f"{place} is not empty: name a new folder")
        write(place / BUNDLE, manifest, contents)
        for file, raw in files.items():
            (place / file).write_bytes(raw)
    except OSError as exc:
        raise InputError(f"{place} cannot be written ({exc.strerror}): name a new folder") from exc


def _tensor(name: str, shape: list[int]) -> str:
    """One tensor of a signature; MLflow keeps it as text."""
    told = [{"type": "tensor", "name": name, "tensor-spec": {"dtype": "float32", "shape": shape}}]
    return msgspec.json.encode(told).decode()


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """What MLflow takes for a metric: finite numbers."""
    plain = {key: value for key, value in metrics.items() if isinstance(value, int | float)}
    return {f"holdout_{key}": float(value) for key, value in plain.items() if math.isfinite(value)}


def _tags(bundle: Bundle, name: str) -> dict[str, str]:
    m = bundle.manifest
    own = {
        "name": name, "version": m.version(), "family": m.family, "target": m.target.name, "unit": m.target.unit,
        "data": m.lineage.data, "data_sha256": m.lineage.data_sha256, "code_version": m.lineage.code_version,
    }  # fmt: skip
    return {f"ascribe.{key}": value for key, value in own.items()} | m.labels


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
