"""Networks with weights drawn anew: which ones, how, and that everything that explains follows."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import ascribe
from ascribe.core.errors import CapabilityError
from ascribe.core.explainers import explain
from ascribe.core.faithfulness import compare, randomisation
from ascribe.train.adopted.randomised import layers_of, randomised, randomised_graphs
from tests.train.small_classifier import CLASSES, adopted, graph, rows, weights

X = rows(6, 2)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    return ascribe.open(adopted(tmp_path_factory.mktemp("small")))


def held(raw):
    return {one.name: numpy_helper.to_array(one) for one in onnx.load_from_string(raw).graph.initializer}


def test_layers_are_drawn_from_the_output_down_with_the_same_moments():
    assert layers_of(graph()) == ("w2", "w1", "w0")
    before = weights()
    found = list(randomised_graphs(graph(), seed=3))
    assert [layer for layer, _ in found] == ["w2", "w1", "w0"]
    for k, (_, raw) in enumerate(found):
        after = held(raw)
        for j, name in enumerate(("w2", "w1", "w0")):
            assert np.array_equal(after[name], before[name]) == (j > k)
    last = held(found[-1][1])
    assert last["w1"].std() == pytest.approx(before["w1"].std(), rel=0.25)
    assert held(found[0][1])["w2"].tobytes() == last["w2"].tobytes()  # one more each time, the same draws above
    assert [raw for _, raw in randomised_graphs(graph(), seed=3)] == [raw for _, raw in found]
    assert [layer for layer, _ in randomised_graphs(graph(), most=2)] == ["w2", "w0"]


def test_the_inside_is_that_of_the_randomised_network(opened):
    model = opened.model.choose("middle")
    for _, other in randomised(opened.bundle, model, most=2):
        assert (other.output, other.space, other.offers) == ("middle", model.space, model.offers)
        f, slope = other.gradient.slope(X, X)
        assert f == pytest.approx(other.predict(X), abs=1e-4)
        assert not np.allclose(f, model.predict(X), atol=0.05)
        step = 1e-2 * np.eye(4)
        for j in range(4):
            wanted = (other.predict(X + step[j]) - other.predict(X - step[j])) / 2e-2
            assert slope[:, j] == pytest.approx(wanted, abs=0.02 * np.abs(slope).max() + 1e-3)


def test_methods_that_read_the_model_lose_their_values(opened):
    model = opened.model.choose("middle")
    others = list(randomised(opened.bundle, model))
    for method in ("kernel_shap", "saliency", "integrated_gradients"):
        found = randomisation(lambda m, name=method: explain(m, X, name).values, model, X, others)
        assert [told.layer for told in found] == ["w2", "w1", "w0"]
        assert found[-1].signed < 0.6
    c = compare(model, X, ["kernel_shap", "occlusion"], near=0, randomised=others)
    assert set(c.likeness) == {"kernel_shap", "occlusion"}
    assert len(c.likeness["occlusion"]) == 3
    c = ascribe.compare(opened.output("high"), X, ["saliency"], near=0, layers=2)
    assert [told.layer for told in c.likeness["saliency"]] == ["w2", "w0"]


def test_a_graph_without_layers_is_refused():
    from tests.serve import tiny

    with pytest.raises(CapabilityError, match="no layers of weights"):
        list(randomised_graphs(tiny._predict()))
    assert CLASSES == ("low", "middle", "high")
