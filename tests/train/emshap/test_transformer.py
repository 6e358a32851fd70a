"""A small Transformer trained on the adult table: it learns, its bundle answers, and its attention is torch's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pyarrow import csv

import ascribe
from ascribe.core.attention import matrices, rollout
from ascribe.core.features import Feature
from ascribe.train.adopted.encoder_bundle import write_encoder
from ascribe.train.families.transformer import TransformerOptions, fit_transformer
from ascribe.train.loop import Loop

DATA = Path(__file__).parents[3] / "examples" / "data" / "adult.csv.gz"
TARGET = "income"
LABELS = ("<=50K", ">50K")
SMALL = TransformerOptions(width=16, heads=2, loop=Loop(epochs=4, batch=256, lr=5e-3, weight_decay=1e-3, patience=3))


def adult(rows: int):
    """Features, rows as numbers and classes; texts are categories in alphabetical order."""
    table = csv.read_csv(DATA)
    columns, features = [], []
    for name in table.column_names:
        held = np.asarray(table[name].to_pylist(), dtype=object)
        if isinstance(held[0], str):
            kinds = sorted(set(held))
            held = np.array([kinds.index(value) for value in held], float)
            features.append(Feature(name, low=0, high=len(kinds) - 1, categories=tuple(kinds)))
        else:
            features.append(Feature(name))
        columns.append(held.astype(float))
    whole = np.stack(columns, axis=1)[:rows]
    target = table.column_names.index(TARGET)
    keep = [j for j in range(whole.shape[1]) if j != target]
    return [features[j] for j in keep], whole[:, keep], whole[:, target].astype(int)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    features, X, y = adult(4000)
    network, accuracy = fit_transformer(features, X, y, 2, seed=0, options=SMALL)
    out = tmp_path_factory.mktemp("encoder") / "bundle"
    write_encoder(network, features, X, LABELS, out, metrics={"accuracy": accuracy})
    return network, accuracy, ascribe.open(str(out)), X, y


def test_it_learns(made):
    _, accuracy, _, _, y = made
    assert accuracy > max(np.mean(y == 0), np.mean(y == 1)) + 0.04


def test_the_bundle_says_what_torch_says(made):
    network, _, model, X, _ = made
    with torch.no_grad():
        told = network(torch.as_tensor(X[:50], dtype=torch.float32)).numpy()
    assert model.spaces == ("margin", "probability")
    assert model.scores(X[:50]) == pytest.approx(told[:, :2], abs=1e-4)
    assert {"attention", "integrated_gradients", "saliency"} <= set(model.explainers)


def test_attention_is_what_torchs_own_layer_gives(made):
    """Layer by layer by hand: norm, self-attention with its weights, the rest of the layer."""
    network, _, model, X, _ = made
    found = matrices(model.model, X[:3])
    assert found.names[:2] == ("[0]", "age")
    with torch.no_grad():
        x = torch.as_tensor(X[:3], dtype=torch.float32)
        place = (x.unsqueeze(2) >= network.edges).sum(2) + network.first
        state = torch.cat([network.start.expand(3, -1, -1), network.tokens(place)], 1)
        for held, layer in zip(found.weights, network.encoder.layers, strict=True):
            z = layer.norm1(state)
            after, weights = layer.self_attn(z, z, z, average_attn_weights=False)
            assert held == pytest.approx(weights.numpy(), abs=1e-5)
            state = state + after
            state = state + layer.linear2(torch.nn.functional.gelu(layer.linear1(layer.norm2(state))))
    whole = rollout(found.weights)
    answer = model.explain(X[:3], "attention", output=">50K")
    assert answer.values == pytest.approx(whole[:, 0, 1:], abs=1e-12)
    assert not answer.additive
    assert answer.info.estimator == "rollout"
    head = model.explain(X[:3], "attention", output=">50K", layer=f"{found.layers[1]}/1")
    assert head.values == pytest.approx(found.weights[1][:, 1, 0, 1:], abs=1e-6)


@pytest.mark.parametrize("space", ["margin", "probability"])
def test_gradients_through_the_vectors_are_complete(made, space):
    _, _, model, X, _ = made
    answer = model.explain(X[:4], "integrated_gradients", output=">50K", space=space, tolerance=0.02)
    assert set(answer.status) <= {"ok", "above_target"}
    gap = np.abs(answer.values.sum(axis=1) - answer.prediction + answer.bases)
    assert (gap[answer.status == "ok"] <= 0.02 * np.abs(answer.prediction - answer.bases)[answer.status == "ok"]).all()
    assert (answer.status == "ok").sum() >= 3
    scores = model.output(">50K", space)
    assert answer.prediction == pytest.approx(scores.predict(X[:4]), abs=1e-4)
