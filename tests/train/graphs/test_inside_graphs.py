"""Graphs of a network's inside, run by ONNX Runtime, against autograd written out here."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ascribe.core.errors import InputError
from ascribe.train.graphs.attention_graph import exposed_attention
from ascribe.train.graphs.export import to_onnx
from ascribe.train.graphs.inside_graphs import attention_graph, gradient_graphs, layers_graph, map_layers


class Small(nn.Module):
    """Two convolutions on 8 x 8 pixels of two colours; the activation writes over its input."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 4, 3, 2)
        self.relu, self.head = nn.ReLU(inplace=True), nn.Linear(36, outputs)

    def tail(self, maps: Tensor) -> Tensor:
        margin = self.head(self.relu(self.second(self.relu(maps.clone()))).flatten(1))
        return margin if margin.shape[1] == 1 else torch.cat([margin, margin.softmax(1)], 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.first(x.reshape(-1, 8, 8, 2).permute(0, 3, 1, 2) / 255))


class Words(nn.Module):
    """Encoder layers over six words, padding masked; `plain`: attention written by hand, one head."""

    def __init__(self, plain: bool = False, layers: int = 2) -> None:
        super().__init__()
        self.table = nn.Embedding(12, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.plain, self.head = plain, nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        words = self.table(x.long())
        if self.plain:
            weights = functional.softmax(words @ words.mT / 8**0.5, -1)
            return self.head((weights @ words).mean(1))
        return self.head(self.encoder(words, src_key_padding_mask=x == 0)[:, 0])


def seeded(network: type, *args: object) -> nn.Module:
    torch.manual_seed(0)
    return network(*args).eval()


def pixels(rows: int) -> Tensor:
    return torch.as_tensor(np.random.default_rng(rows).integers(0, 256, (rows, 128)), dtype=torch.float32)


def words(rows: int) -> Tensor:
    drawn = np.random.default_rng(rows).integers(1, 12, (rows, 6))
    drawn[:, 4:] = 0
    return torch.as_tensor(drawn, dtype=torch.float32)


def run(graph: bytes, **inputs: Tensor) -> dict[str, np.ndarray]:
    opened = ort.InferenceSession(graph)
    taken = {i.name for i in opened.get_inputs()}
    names = [o.name for o in opened.get_outputs()]
    return dict(zip(names, opened.run(None, {k: v.numpy() for k, v in inputs.items() if k in taken}), strict=True))


@pytest.mark.parametrize("outputs", [1, 3])
def test_slopes_of_every_output_in_one_graph(outputs):
    network = seeded(Small, outputs)
    graphs = gradient_graphs(network, pixels(3))
    assert set(graphs) == {"gradient"}
    for rows in (1, 5):
        x = pixels(rows).requires_grad_()
        y = network(x)
        for k in range(y.shape[1]):
            (told,) = torch.autograd.grad(y[:, k].sum(), x, retain_graph=True)
            weight = torch.eye(y.shape[1])[[k] * rows]
            found = run(graphs["gradient"], z=x.detach(), weight=weight)
            assert found["value"] == pytest.approx(y[:, k].detach().numpy(), abs=1e-5)
            assert found["gradient"] == pytest.approx(told.numpy(), abs=1e-6)
    inputs = {i.name for i in ort.InferenceSession(graphs["gradient"]).get_inputs()}
    assert inputs == ({"z"} if outputs == 1 else {"z", "weight"})


@pytest.mark.parametrize("outputs", [1, 3])
def test_maps_and_their_slopes(outputs):
    network = seeded(Small, outputs)
    graph = layers_graph(network, pixels(2), {"early": "first"})
    for rows in (1, 4):
        x = pixels(rows)
        maps = network.first(x.reshape(-1, 8, 8, 2).permute(0, 3, 1, 2) / 255).detach().requires_grad_()
        y = network.tail(maps)
        k = y.shape[1] - 1
        (told,) = torch.autograd.grad(y[:, k].sum(), maps)
        found = run(graph, x=x, weight=torch.eye(y.shape[1])[[k] * rows])
        assert found["maps:early"] == pytest.approx(maps.detach().numpy(), abs=1e-5)
        assert (maps.detach().numpy() < 0).any()  # before the activation that writes over them
        assert found["slope:early"] == pytest.approx(told.numpy(), abs=1e-6)


def test_layers_worth_showing():
    """Of each size of map the last module that gives it alone; none of a network without maps."""
    assert map_layers(seeded(Small, 3), pixels(2)) == {"first": "first", "second": "second"}
    assert map_layers(seeded(Words), words(2)) == {}


def test_slopes_in_the_vectors_of_words():
    network = seeded(Words, False, 1)
    graphs = gradient_graphs(network, words(3), embedding="table")
    assert set(graphs) == {"gradient", "embed"}
    x = words(4)
    points = run(graphs["embed"], x=x)["point"]
    vectors = network.table(x.long())
    assert points == pytest.approx(vectors.detach().flatten(1).numpy(), abs=1e-6)
    moved = (vectors.detach() * 0.7 + 0.1).requires_grad_()
    y = network.head(network.encoder(moved, src_key_padding_mask=x == 0)[:, 0])
    (told,) = torch.autograd.grad(y[:, 1].sum(), moved)
    found = run(graphs["gradient"], z=moved.detach().flatten(1), x=x, weight=torch.eye(2)[[1] * 4])
    assert found["value"] == pytest.approx(y[:, 1].detach().numpy(), abs=1e-5)
    assert found["gradient"] == pytest.approx(told.flatten(1).numpy(), abs=1e-5)
    assert np.abs(told[:, 4:].numpy()).max() == 0  # padding is masked all along the way


@pytest.fixture(scope="module")
def predict() -> bytes:
    return to_onnx(seeded(Words), {"x": words(3)}, ["margin"])


@pytest.mark.parametrize("way", ["module", "graph"])
def test_attention_of_torchs_layers(predict, way):
    """From the modules, and from the softmax between two products of the exported graph; the mask hides padding."""
    network = seeded(Words)
    example = words(3)
    graph = (
        attention_graph(network, example, predict) if way == "module" else exposed_attention(predict, example.numpy())
    )
    for rows in (1, 4):
        x, state, found = words(rows), network.table(words(rows).long()), run(graph, x=words(rows))
        assert len(found) == 2
        for (name, held), layer in zip(found.items(), network.encoder.layers, strict=True):
            assert name.startswith("weights:")
            _, told = layer.self_attn(state, state, state, key_padding_mask=x == 0, average_attn_weights=False)
            assert held.shape == (rows, 2, 6, 6)
            assert held == pytest.approx(told.detach().numpy(), abs=1e-5)
            assert (held[..., 4:] == 0).all()
            state = layer(state, src_key_padding_mask=x == 0)


def test_attention_written_by_hand_is_found():
    network = seeded(Words, True)
    predict = to_onnx(network, {"x": words(3)}, ["margin"])
    graph = exposed_attention(predict, words(3).numpy())
    x = words(2)
    v = network.table(x.long())
    (held,) = run(graph, x=x).values()
    assert held.shape == (2, 1, 6, 6)
    assert held[:, 0] == pytest.approx(functional.softmax(v @ v.mT / 8**0.5, -1).detach().numpy(), abs=1e-5)


def test_a_softmax_of_classes_is_no_attention():
    predict = to_onnx(seeded(Small, 3), {"x": pixels(2)}, ["both"])
    assert exposed_attention(predict, pixels(2).numpy()) is None


def test_what_does_not_fit_is_told():
    network = seeded(Small, 3)
    with pytest.raises(InputError, match="give at least two flat rows of float32"):
        gradient_graphs(network, pixels(1))
    with pytest.raises(InputError, match="the network has no module 'third': its modules are first, second"):
        layers_graph(network, pixels(2), {"late": "third"})
    with pytest.raises(InputError, match=r"layer 'last' gives .2, 3.: only maps"):
        layers_graph(network, pixels(2), {"last": "head"})
    with pytest.raises(InputError, match="a layer that is used twice has two maps"):
        layers_graph(network, pixels(2), {"relu": "relu"})
    with pytest.raises(InputError, match=r"'first' is not an nn.Embedding without max_norm: choose from none here"):
        gradient_graphs(network, pixels(2), embedding="first")
