"""Gradient graphs are autograd, and graphs of Integrated Gradients are Captum and autograd, for any number of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from captum.attr import IntegratedGradients
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ascribe.bundle.sessions import session
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.quadrature import RULES, quadrature
from ascribe.train.graphs.gradient_operators import OPERATORS
from ascribe.train.graphs.gradients import gradient_graph, integrated_gradients, integrated_gradients_graph
from ascribe.train.graphs.onnx_network import from_onnx
from ascribe.train.graphs.path_graph import path_graph
from benchmarks.gradients import RESNET, AttentionBlock

ROWS = (1, 3, 17)


class Made(nn.Module):
    """A network from layers and what to do with them."""

    def __init__(self, forward, *layers: nn.Module) -> None:
        super().__init__()
        self.run, self.layers = forward, nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x, *self.layers)


def closest(told: np.ndarray, found: np.ndarray) -> float:
    return float(np.abs(told - found).max() / np.abs(told).max())


def autograd(network: nn.Module, x: Tensor, target: int) -> tuple[np.ndarray, np.ndarray]:
    z = x.clone().requires_grad_()
    y = network(z)[:, target]
    return y.detach().numpy(), torch.autograd.grad(y.sum(), z)[0].numpy()


# backward operators, one by one and without a graph


class Replaced(TorchDispatchMode):
    """Runs our operators where torch would run its own."""

    def __init__(self) -> None:
        super().__init__()
        self.met: set = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in OPERATORS:
            self.met.add(func)
        return OPERATORS.get(func, func)(*args, **(kwargs or {}))


def weights(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


BACKWARD = {
    "convolution_backward": [
        lambda x: F.conv2d(x, weights(6, 4, 3, 3)),
        lambda x: F.conv2d(x, weights(6, 4, 3, 2), stride=(2, 3), padding=(1, 0)),
        lambda x: F.conv2d(x, weights(6, 2, 3, 3), padding=1, groups=2),
        lambda x: F.conv2d(x, weights(8, 1, 3, 3), stride=2, groups=4),
        lambda x: F.conv2d(x, weights(6, 4, 3, 3), dilation=2, padding=1),
        lambda x: F.conv2d(x, weights(6, 4, 3, 3), padding=4),
        lambda x: F.conv_transpose2d(x, weights(4, 3, 3, 3), stride=2, padding=1, output_padding=1, groups=2),
        lambda x: F.conv1d(x.flatten(2), weights(6, 2, 5), stride=2, padding=3, groups=2),
    ],
    "avg_pool2d_backward": [
        lambda x: F.avg_pool2d(x, 2),
        lambda x: F.avg_pool2d(x, 3, 2, 1),
        lambda x: F.avg_pool2d(x, (3, 2), 2, 1, ceil_mode=True, count_include_pad=False),
        lambda x: F.avg_pool2d(x, 4, 3, 1, ceil_mode=True, divisor_override=5),
        lambda x: F.avg_pool1d(x.flatten(2), 3, 2, 1),
    ],
    "_adaptive_avg_pool2d_backward": [
        lambda x: F.adaptive_avg_pool2d(x, (4, 3)),
        lambda x: F.adaptive_avg_pool1d(x.flatten(2), 7),
    ],
    "max_pool2d_with_indices_backward": [
        lambda x: F.max_pool2d(x, 3, 2, 1),
        lambda x: F.max_pool2d(x, 2, ceil_mode=True),
        lambda x: F.max_pool1d(x.flatten(2), 3, 1),
    ],
    "slice_backward": [lambda x: x[:, :, 1:-1:3], lambda x: x[:, -3:], lambda x: x[..., ::2]],
    "select_backward": [lambda x: x[:, 2], lambda x: x[:, :, -1]],
}


@pytest.mark.parametrize(("name", "forward"), [(name, f) for name, fs in BACKWARD.items() for f in fs])
def test_a_backward_operator_is_that_of_torch(name, forward):
    x = weights(3, 4, 9, 8).requires_grad_()
    y = forward(x)
    g = torch.randn_like(y)
    (told,) = torch.autograd.grad(y, x, g, retain_graph=True)
    with Replaced() as replaced:
        (found,) = torch.autograd.grad(y, x, g)
    assert getattr(torch.ops.aten, name).default in replaced.met
    assert found.shape == told.shape
    assert torch.allclose(found, told, atol=1e-5)


def test_every_backward_operator_is_tested():
    assert {getattr(torch.ops.aten, name).default for name in BACKWARD} == OPERATORS.keys()


# families of operators, as graphs


def activated(x: Tensor, first: nn.Module, last: nn.Module, *between: nn.Module) -> Tensor:
    y = first(x)
    return last(sum(activation(y) for activation in between)).log_softmax(-1)


def attended(x: Tensor, q: nn.Module) -> Tensor:
    parts = q(x).unflatten(-1, (2, 4)).transpose(1, 2)
    return F.scaled_dot_product_attention(parts, parts, parts, is_causal=True).transpose(1, 2).flatten(2).mean(1)


def families() -> dict[str, tuple[nn.Module, Tensor]]:
    torch.manual_seed(0)
    told = [nn.ReLU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Tanh(), nn.Sigmoid(), nn.Softplus(), nn.LeakyReLU(),
            nn.ELU(), nn.Softmax(-1), nn.Hardswish(), nn.PReLU()]  # fmt: skip
    image = [nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3, padding="same"),
             nn.GroupNorm(2, 6), nn.MaxPool2d(2, 1), nn.Conv2d(6, 4, 2, groups=2), nn.AvgPool2d(3, 2, 1),
             nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)]  # fmt: skip
    series = [nn.Conv1d(3, 6, 4, stride=2, padding=1, groups=3), nn.BatchNorm1d(6), nn.Tanh(), nn.MaxPool1d(2),
              nn.AvgPool1d(2), nn.AdaptiveAvgPool1d(3), nn.Flatten(), nn.LayerNorm(18), nn.Linear(18, 2)]  # fmt: skip
    made = {
        "activations": (Made(activated, nn.Linear(5, 8), nn.Linear(8, 3), *told), torch.randn(4, 5)),
        "image": (nn.Sequential(*image), torch.randn(4, 3, 13, 13)),
        "series": (nn.Sequential(*series), torch.randn(4, 3, 25)),
        "attention": (Made(attended, nn.Linear(8, 8)), torch.randn(4, 5, 8)),
        "recurrent": (
            Made(lambda x, gru, head: head(gru(x)[0][:, -1]), nn.GRU(4, 3, batch_first=True), nn.Linear(3, 2)),
            torch.randn(4, 2, 4),
        ),
    }  # fmt: skip
    for network, _ in made.values():
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2)
    return made


@pytest.mark.parametrize("name", list(families()))
def test_a_gradient_graph_is_autograd_for_any_number_of_rows(name):
    network, example = families()[name]
    run = session(gradient_graph(network, example, target=1), name).run
    assert network.training  # the network itself is left as it was
    network.eval()
    for rows in ROWS:
        x = torch.randn(rows, *example.shape[1:])
        prediction, gradient = run(["prediction", "gradient"], {"x": x.numpy()})
        told = autograd(network, x, 1)
        assert prediction.shape == (rows,)
        assert closest(told[0], prediction) < 1e-5
        assert closest(told[1], gradient) < 1e-5


# embeddings


def mean_of_words(ids: Tensor, table: nn.Module, head: nn.Module) -> Tensor:
    kept = (ids != 0).float().unsqueeze(-1)
    return head((torch.tanh(table(ids)) * kept).sum(1) / kept.sum(1))


@pytest.fixture(scope="module")
def words() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    ids = torch.randint(1, 20, (4, 6))
    ids[0, 4:] = 0
    return Made(mean_of_words, nn.Embedding(20, 8), nn.Linear(8, 2)).eval(), ids


def test_the_gradient_of_words_is_taken_in_their_vectors(words):
    network, ids = words
    table = network.layers[0]
    z = table(ids).detach().requires_grad_()
    kept = (ids != 0).float().unsqueeze(-1)
    y = network.layers[1]((torch.tanh(z) * kept).sum(1) / kept.sum(1))[:, 1]
    (told,) = torch.autograd.grad(y.sum(), z)
    graph = gradient_graph(network, ids, target=1, embedding="layers.0")
    prediction, gradient = session(graph, "words").run(["prediction", "gradient"], {"x": ids.numpy()})
    assert closest(y.detach().numpy(), prediction) < 1e-5
    assert closest(told.numpy(), gradient) < 1e-5


def test_words_are_attributed_to_and_padding_is_not(words):
    network, ids = words
    graph = integrated_gradients_graph(network, ids, target=1, embedding="layers.0", steps=16, chunk=5)
    run = session(graph, "words").run
    padding = np.zeros((1, 6), np.int64)
    for rows in (ids, ids[:1], ids.repeat(5, 1)[:17]):
        prediction, attribution, gap = run(None, {"x": rows.numpy(), "baseline": padding})
        assert attribution.shape == (len(rows), 6, 8)
        assert np.abs(gap).max() < 1e-5 * np.abs(prediction).max()
    first = run(["attribution"], {"x": ids.numpy(), "baseline": padding})[0][0]
    assert (first[4:] == 0).all()
    assert (first[:4] != 0).any()


# Integrated Gradients


@pytest.fixture(scope="module")
def perceptron() -> tuple[nn.Module, Tensor, bytes]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 32), nn.GELU(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)).eval()
    example = torch.randn(4, 6)
    return network, example, integrated_gradients_graph(network, example)


def captum(network: nn.Module, x: Tensor, baseline: Tensor, target: int | None = None) -> np.ndarray:
    told = IntegratedGradients(network).attribute(x, baseline, target=target, n_steps=50, method="gausslegendre")
    return told.detach().numpy()


@pytest.mark.parametrize("rows", ROWS)
def test_a_perceptron_is_as_captum_says(perceptron, rows):
    network, _, graph = perceptron
    x, baseline = torch.randn(rows, 6), torch.randn(1, 6)
    run = session(graph, "perceptron").run
    prediction, attribution, gap = run(None, {"x": x.numpy(), "baseline": baseline.numpy()})
    assert closest(captum(network, x, baseline), attribution) < 1e-4
    assert closest(network(x).detach().numpy()[:, 0], prediction) < 1e-5
    assert np.abs(gap).max() < 1e-5
    before = network(baseline).item()
    assert gap == pytest.approx(prediction - before - attribution.sum(1), abs=1e-6)


def test_each_row_may_have_a_baseline_of_its_own(perceptron):
    network, _, graph = perceptron
    x, baseline = torch.randn(5, 6), torch.randn(5, 6)
    found = session(graph, "perceptron").run(["attribution"], {"x": x.numpy(), "baseline": baseline.numpy()})[0]
    assert closest(captum(network, x, baseline), found) < 1e-4


def test_an_attention_block_is_as_captum_says():
    torch.manual_seed(0)
    network, example = AttentionBlock().eval(), torch.randn(4, 16, 32)
    run = session(integrated_gradients_graph(network, example, target=2), "attention").run
    x, baseline = torch.randn(3, 16, 32), torch.zeros(1, 16, 32)
    _, attribution, gap = run(None, {"x": x.numpy(), "baseline": baseline.numpy()})
    assert closest(captum(network, x, baseline, 2), attribution) < 1e-4
    told = integrated_gradients(network, x, baseline, target=2)
    assert closest(told.attribution, attribution) < 1e-4
    assert gap == pytest.approx(told.completeness_gap, abs=1e-5)


def test_resnet_is_as_captum_says():
    """A ReLU within rounding of 0 is open for one and shut for the other: that step's share, up to 3e-3, may differ."""
    grid = np.mgrid[:32, :32] / 32
    waves = [[np.sin((4 + k) * grid[0] + c) * np.cos(3 * grid[1] - c) for c in range(3)] for k in range(3)]
    x = torch.tensor(np.array(waves), dtype=torch.float32)
    network = from_onnx(RESNET, x)
    run = session(integrated_gradients_graph(network, x, target=3, tolerance=5e-3), "resnet").run
    baseline = torch.zeros(1, 3, 32, 32)
    found = run(["attribution"], {"x": x[:1].numpy(), "baseline": baseline.numpy()})[0]
    assert closest(captum(network, x[:1], baseline, 3), found) < 5e-3


def test_chunks_bound_a_pass_and_change_nothing(perceptron):
    network, example, _ = perceptron
    slope = gradient_graph(network, example)
    inputs = {"x": example.numpy(), "baseline": np.zeros((1, 6), np.float32)}
    for rule, chunk in zip(RULES, (1, 4, 11, 3, 10), strict=True):
        told = integrated_gradients(network, example, torch.zeros(1, 6), steps=11, rule=rule)
        graph = path_graph(slope, *quadrature(rule, 11), chunk, None)
        _, attribution, gap = session(graph, rule).run(None, inputs)
        assert closest(told.attribution, attribution) < 1e-5
        assert gap == pytest.approx(told.completeness_gap, abs=1e-5)


def test_the_graph_holds_weights_for_both_directions_and_nothing_of_the_machine(perceptron):
    network, _, graph = perceptron
    numbers = sum(weight.numel() for weight in network.parameters())
    held = sum(np.prod(value.dims) for value in onnx.load_from_string(graph).graph.initializer)
    assert numbers <= held < 2 * numbers + 300  # a step of the way adds none
    for word in (b"site-packages", b".py", str(Path.cwd()).encode()):
        assert word not in graph


# what cannot be done is told


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (lambda x: torch.linalg.inv(x[:, :, None] * x[:, None] + torch.eye(6))[:, 0, 0], r"aten\.linalg_inv_ex"),
        (lambda x: (2 * x if x.sum() > 0 else x)[:, 0], "cannot be traced for any number of rows"),
        (lambda x: x.reshape(4, 6)[:, 0], "cannot be traced for any number of rows"),
    ],
)
def test_an_operator_without_a_graph_is_named_and_the_torch_path_goes_on(forward, reason, capfd):
    network, x = Made(forward), torch.randn(4, 6)
    with pytest.raises(CapabilityError, match=rf"{reason}.*: use ascribe\.train\.graphs\.gradients\.integ"):
        gradient_graph(network, x)
    assert capfd.readouterr() == ("", "")
    told = integrated_gradients(network, x, torch.ones(1, 6), steps=5)
    assert np.isfinite(told.attribution).all()


@pytest.mark.parametrize(
    ("network", "example", "options", "reason"),
    [
        (nn.Linear(3, 2), torch.randn(4, 3), {}, "2 outputs: name one with target=0"),
        (nn.Linear(3, 2), torch.randn(4, 3), {"target": 2}, r"choose 0 \.\.\. 1"),
        (nn.Linear(3, 2), torch.randn(4, 2, 3), {"target": 0}, r"\(4, 2, 2\): wrap it"),
        (nn.Linear(3, 2), torch.randn(1, 3), {"target": 0}, "at least two rows"),
        (nn.Linear(3, 2), torch.randn(4, 3).double(), {"target": 0}, "torch.float64: give at least two rows"),
        (nn.Embedding(5, 2), torch.ones(4, 3, dtype=torch.int64), {"target": 0}, "name the embedding"),
        (nn.Linear(3, 2), torch.ones(4, 3, dtype=torch.int64), {"embedding": "table"}, "choose from none here"),
    ],
)
def test_an_example_that_does_not_fit_is_refused(network, example, options, reason):
    with pytest.raises(InputError, match=reason):
        gradient_graph(network, example, **options)


def test_a_chunk_of_no_steps_is_refused():
    with pytest.raises(InputError, match=r"1 \.\.\. 50, got 0"):
        integrated_gradients_graph(nn.Linear(3, 1), torch.randn(4, 3), chunk=0)
