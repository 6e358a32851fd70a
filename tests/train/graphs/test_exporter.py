"""A program is traced a second time only where it must be, and its graph is the one of two traces."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from ascribe.bundle.sessions import session
from ascribe.train.graphs import exporter
from ascribe.train.graphs.exporter import exported


class Steps(nn.Module):
    def __init__(self, steps: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.enter, self.steps = nn.Linear(4, 4), steps

    def forward(self, x: Tensor) -> Tensor:
        return self.steps(self.enter(x))


ONCE = {
    "products": lambda h: torch.log_softmax(h @ h.transpose(0, 1), dim=1),
    "a cast": lambda h: h + (h > 0).to(h.dtype) * 3,
    "a cast that is none": lambda h: h.to(torch.float32) * 2,
    "a cast at the end": lambda h: (h * 2).to(torch.float64),
    "a cast to another's kind": lambda h: (h > 0).to(h) * 3,
    "sizes": lambda h: h.sum(dim=0, keepdim=True).expand(h.shape[0], -1) / h.shape[0],
}
TWICE = {
    "what changes its input": lambda h: torch.relu_(h) + 1,
    "what has no form": lambda h: 1 - h,
    "a program within": lambda h: torch.where(h > 0, held(h), h),
}


def held(h: Tensor) -> Tensor:
    with torch.no_grad():
        return h * 2


def written(steps: Callable[[Tensor], Tensor]) -> tuple[onnx.ModelProto, np.ndarray, int]:
    """The graph, what it says of seven rows, and how often the program was traced again."""
    torch.manual_seed(0)
    network = Steps(steps).eval()
    with mock.patch.object(
        ExportedProgram, "run_decompositions", autospec=True, side_effect=ExportedProgram.run_decompositions
    ) as again:
        graph = exported(network, {"x": torch.ones(3, 4)}, ["y"])
    x = torch.randn(7, 4)
    found = session(graph.SerializeToString(), "steps").run(["y"], {"x": x.numpy()})[0]
    assert np.abs(found - network(x).detach().numpy()).max() < 1e-6
    return graph, found, again.call_count


@pytest.mark.parametrize(("name", "traces"), [*((name, 0) for name in ONCE), *((name, 1) for name in TWICE)])
def test_the_graph_is_the_one_of_two_traces(name, traces, monkeypatch):
    steps = (ONCE | TWICE)[name]
    graph, found, again = written(steps)
    assert again == traces
    monkeypatch.setattr(exporter, "_stands", lambda node, operators: False)
    whole, same, again = written(steps)
    assert again == 1
    assert [node.op_type for node in graph.graph.node] == [node.op_type for node in whole.graph.node]
    assert found.tobytes() == same.tobytes()
    assert found.dtype == same.dtype
