"""A compiled explanation as a model of an NVIDIA Triton repository.

REPOSITORY/NAME/config.pbtxt
REPOSITORY/NAME/1/model.onnx        the next number at every export; Triton serves the latest
"""

from __future__ import annotations

import re
from pathlib import Path

from ascribe.bundle.archive import Bundle
from ascribe.core.compiled import ROWS
from ascribe.train.compile import standalone
from ascribe.train.compiled.program import OUTPUTS

__all__ = ["export_triton"]

QUEUE_US = 500  # how long Triton may wait to fill a batch

CONFIG = """\
name: "{name}"
platform: "onnxruntime_onnx"
max_batch_size: {rows}
input [
  {{ name: "x" data_type: TYPE_FP32 dims: [ {n} ] }}
]
output [
{outputs}
]
version_policy: {{ latest {{ num_versions: 1 }} }}
dynamic_batching {{ max_queue_delay_microseconds: {queue} }}
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
optimization {{ graph {{ level: 0 }} }}
parameters {{ key: "ascribe_version" value {{ string_value: "{version}" }} }}
parameters {{ key: "ascribe_tier" value {{ string_value: "{tier}" }} }}
"""


def export_triton(bundle: Bundle, tier: str, repository: Path) -> Path:
    """Write the graph and its configuration; the model's folder. Raises CapabilityError for a tier without a graph."""
    graph = standalone(bundle, tier)
    name = re.sub(r"[^A-Za-z0-9_-]", "_", f"explain_{bundle.manifest.target.name}_{tier}")
    place = repository / name
    known = [int(p.name) for p in place.glob("*") if p.is_dir() and p.name.isdigit()]
    n = len(bundle.manifest.features)
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.pbtxt").write_text(
        CONFIG.format(
            name=name, rows=ROWS, n=n, queue=QUEUE_US, version=bundle.manifest.version(), tier=tier,
            outputs=",\n".join(_output(output, n) for output in OUTPUTS),
        )
    )  # fmt: skip
    part = place / ".part"  # a server that looks meanwhile finds a whole version or none
    part.mkdir(exist_ok=True)
    (part / "model.onnx").write_bytes(graph)
    part.rename(place / str(max(known, default=0) + 1))
    return place


def _output(name: str, n: int) -> str:
    """One number a row has no axis besides the batch's, which Triton writes as a reshape."""
    shape = f"dims: [ {n} ]" if name in ("attribution", "stderr") else "dims: [ 1 ] reshape { shape: [ ] }"
    return f'  {{ name: "{name}" data_type: TYPE_FP32 {shape} }}'
