"""The MLflow directory: what its readers look for is there, and the graph in it predicts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import ascribe as package
from ascribe.bundle.mlflow_export import export_mlflow
from ascribe.bundle.registry import Registry
from ascribe.core.errors import InputError
from tests.journey import ascribe

from .made import BIAS, CENTRE, NAME, WEIGHTS, made

AT = "2026-11-01T00:00:00Z"


def test_an_exported_version_is_read_as_yaml_and_predicts(tmp_path):
    yaml = pytest.importorskip("yaml")
    registry = Registry(str(tmp_path / "registry"))
    version = registry.publish(NAME, made(tmp_path / "bundle", labels=(("cpu", "epyc"),)))
    registry.promote(NAME, version, AT)
    out = tmp_path / "out"
    done = ascribe("registry", "export-mlflow", NAME, "--registry", registry.uri, "--to", out)
    assert done.stdout.strip() == f"{version} -> {out}"
    told = yaml.safe_load((out / "MLmodel").read_text())
    assert told["flavors"]["onnx"]["data"] == told["flavors"]["python_function"]["data"] == "model.onnx"
    assert told["flavors"]["python_function"]["loader_module"] == "mlflow.onnx"
    (x,) = json.loads(told["signature"]["inputs"])
    assert x == {"type": "tensor", "name": "x", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}
    session = onnxruntime.InferenceSession(out / told["flavors"]["onnx"]["data"])
    (found,) = session.run(["prediction"], {x["name"]: np.array([CENTRE], np.float32)})
    assert found[0] == pytest.approx(BIAS + WEIGHTS @ CENTRE, rel=1e-5)
    tags = json.loads((out / "tags.json").read_text())
    assert tags["ascribe.version"] == version
    assert tags["cpu"] == "epyc"
    assert package.open(out / "ascribe").version == version


def test_metrics_are_finite_numbers(tmp_path):
    bundle = made(tmp_path / "bundle")
    bundle.manifest.metrics["holdout"] = {"mae": 1.5, "mape": float("nan"), "note": "words"}
    export_mlflow(bundle, NAME, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == {"holdout_mae": 1.5}


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter").write_text("dear reader")
    with pytest.raises(InputError, match="is not empty: name a new folder"):
        export_mlflow(made(tmp_path / "bundle"), NAME, tmp_path / "out")
    with pytest.raises(InputError, match="cannot be written"):
        export_mlflow(made(tmp_path / "bundle"), NAME, Path("/proc/none"))
