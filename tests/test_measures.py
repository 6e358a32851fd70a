"""Importance, comparison and probes by their functions, their commands and their pages."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ascribe
from ascribe.core.errors import CapabilityError, InputError
from ascribe.measures import plain
from ascribe.report import comparison, probes
from ascribe.report.comparison_figure import figure as curves_figure
from ascribe.report.importance import figure as importance_figure
from tests.journey import ascribe as command
from tests.journey import one_line, typed
from tests.report.test_drift import Page
from tests.serve import tiny
from tests.train.small_classifier import adopted


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A bundle of a quantity, with rows that hold what was measured."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny.publish(folder)
    opened = ascribe.open(folder / "bundle")
    X = opened.model.background
    watts = opened.predict(X) + np.random.default_rng(0).standard_normal(len(X))
    named = dict(zip(opened.features, X.T, strict=True))
    pq.write_table(pa.table(named | {"watts": watts, "word": ["a"] * len(X)}), folder / "rows.parquet")
    return folder


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    adopted(folder)
    return folder


def test_importance_of_a_bundle_of_a_frame_and_of_a_function(place):
    opened, table = ascribe.open(place / "bundle"), pq.read_table(place / "rows.parquet")
    told = ascribe.importance(opened, table, table["watts"].to_numpy())
    wanted = 2 * (tiny.WEIGHTS * opened.model.background.std(axis=0)) ** 2
    low, high = told.interval(0.999)
    assert ((low < wanted) & (wanted < high)).all()
    assert (told.features, told.unit) == (("busy", "ghz", "misses"), "W^2")
    shares = []
    fair = ascribe.importance(opened, table, table["watts"].to_numpy(), method="sage", step=shares.append)
    assert fair.values.sum() == pytest.approx(fair.whole)
    assert shares == sorted(shares)
    sizes = ascribe.importance(opened, table, method="mean_abs", explainer="kernel_shap", step=shares.append)
    assert sizes.unit == "W" and shares[-1] == 1
    grouped = ascribe.importance(opened, table, groups={"cpu": ["busy", "ghz"]}, step=shares.append)
    assert grouped.features == ("cpu", "misses") and shares[-1] == 1
    X = np.random.default_rng(0).standard_normal((50, 2))
    assert ascribe.importance(lambda Z: Z[:, 0], X, method="sage").values[1] == pytest.approx(0)
    assert ascribe.partial_dependence(lambda Z: Z[:, 0], X, "x0", points=5).mean.shape == (5,)
    with pytest.raises(InputError, match="no importance 'shap'"):
        ascribe.importance(opened, table, method="shap")


def test_a_probability_is_judged_by_its_log_loss(classes):
    opened = ascribe.open(classes / "bundle").output("high", "probability")
    X = opened.model.background
    y = (opened.predict(X) > 0.5).astype(float)
    assert ascribe.importance(opened, X, y).loss == "log"
    assert ascribe.importance(opened.output("high", "margin"), X).loss == "squared"


def test_the_command_writes_numbers_and_a_picture(place):
    done = command("importance", place / "bundle", place / "rows.parquet", "--target", "watts", "-o", place / "i.json")
    assert done.returncode == 0, done.stderr
    told = json.loads((place / "i.json").read_text())
    assert told["features"] == ["busy", "ghz", "misses"]
    assert all(low < value < high for low, value, high in zip(told["low"], told["values"], told["high"], strict=True))
    assert "95 % interval" in done.stdout
    done = typed("importance", place / "bundle", place / "rows.parquet", "--method", "sage", "-o", place / "i.png")
    assert done.returncode == 0, done.stderr
    assert (place / "i.png").read_bytes()[:4] == b"\x89PNG"


def test_the_comparison_as_json_and_as_a_page(place):
    done = command("compare", place / "bundle", place / "rows.parquet", "--rows", 6, "-o", place / "c.json")
    assert done.returncode == 0, done.stderr
    told = json.loads((place / "c.json").read_text())
    assert told["methods"] == ["conditional_shap", "kernel_shap", "permutation_shap", "lime", "occlusion"]
    assert told["rows"] == 6 and told["judged"][-1]["method"] == "random"
    assert told["judged"][1]["missed"]["mean"] < 1e-6  # the model is linear
    assert told["judged"][-1]["sensitivity"]["mean"] is None
    done = typed(
        "compare", place / "bundle", place / "rows.parquet", "--rows", 4, "--methods", "lime,occlusion", "--near", 0,
        "-o", place / "c.html",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = Page((place / "c.html").read_text())
    assert {"lime", "occlusion", "random"} <= set(page.texts) and "kernel_shap" not in page.texts
    assert page.links == []
    assert "svg" in page.tags


def test_a_comparison_with_layers_drawn_anew_has_their_table(classes):
    opened = ascribe.open(classes / "bundle").output("high")
    c = ascribe.compare(opened, opened.model.background[:4], ["kernel_shap", "saliency"], near=0, layers=2)
    page = Page(comparison.page(c))
    assert "As layers are randomised, from the output down" in page.texts
    assert {"w2", "w0"} <= set(page.texts)
    drawn = curves_figure(c)
    assert [axes.get_title(loc="left") for axes in drawn.axes][-1] == "how alike they rank"
    assert drawn.axes[0].get_ylim() == drawn.axes[1].get_ylim()


def test_probes_of_a_classifier_and_of_a_quantity(classes, place):
    done = command(
        "probe", classes / "bundle", classes / "rows.csv", "--label", "class", "--rows", 12, "--epsilons", "0,0.05,0.3",
        "--methods", "saliency", "-o", classes / "p.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads((classes / "p.json").read_text())
    assert [found["method"] for found in told["robust"]] == ["fgsm", "pgd"]
    for found in told["robust"]:
        assert found["accuracy"][0] == 1 and found["accuracy"][-1] < 1 and found["labelled"]
        assert "rows" not in found
    assert len(told["stable"][0]["moved"]) == 12
    opened = ascribe.open(classes / "bundle")
    steps = []
    told = ascribe.probe(
        opened, opened.model.background[:5], epsilons=(0.0, 0.1), step=lambda *step: steps.append(step)
    )
    shares = [share for share, _ in steps]  # two attacks of two sizes, then five rows of one method
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1 and len(set(shares)) == 10
    page = Page(probes.page(told))
    assert "pgd: same class" in page.texts and page.links == []
    done = typed("probe", place / "bundle", place / "rows.parquet", "--rows", 3, "-o", place / "p.html")
    assert done.returncode == 0, done.stderr
    assert "no attack: this model offers no gradient" in done.stderr
    assert "conditional_shap" in Page((place / "p.html").read_text()).texts


def test_what_cannot_be_asked_is_one_line(place):
    rows = place / "rows.parquet"
    for words, says in (
        (("compare", place / "bundle", rows, "-o", place / "c.txt"), "a report is .html or .json"),
        (("importance", place / "bundle", rows, "--target", "amps"), "there is no column 'amps'"),
        (("importance", place / "bundle", rows, "--target", "word"), "holds no numbers"),
        (("probe", place / "bundle", rows, "--epsilons", "a", "-o", place / "p.html"), "no list of numbers"),
    ):
        assert says in one_line(typed(*words))


def test_wrong_numbers_to_a_function_are_told_in_words():
    X = np.random.default_rng(0).standard_normal((20, 3))

    def model(X):
        return X[:, 0] + 2 * X[:, 1]

    column = ascribe.importance(model, X, model(X)[:, None], repeats=2).values
    assert column == pytest.approx(ascribe.importance(model, X, model(X), repeats=2).values)
    for asked, says in (
        (lambda: ascribe.importance(model, X, ["a"] * 20), "y holds what is no number"),
        (lambda: ascribe.importance(model, X, np.ones((10, 2))), "y is one number a row"),
        (lambda: ascribe.importance(model, X, seed=-1), "seed is a number from 0"),
        (lambda: ascribe.importance(model, X, method="sage", seed=-1), "seed is a number from 0"),
        (lambda: ascribe.compare(model, X, seed=-1), "seed is a number from 0"),
        (lambda: ascribe.probe(model, X, seed=-1), "seed is a number from 0"),
        (lambda: ascribe.compare(model, X, draws=0), "draws is at least 1"),
        (lambda: ascribe.compare(model, X, near=-1), "near at least 0"),
        (lambda: ascribe.compare(model, X, radius=-0.1), "radius a size"),
        (lambda: ascribe.compare(model, X, radius=float("nan")), "radius a size"),
        (lambda: ascribe.probe(model, X[:1]), "not known from one row"),
        (lambda: ascribe.probe(model, X * np.nan), "no row can be probed"),
    ):
        with pytest.raises(InputError, match=says):
            asked()


def test_labels_are_one_a_row_and_the_most_that_is_known_is_told(classes):
    opened = ascribe.open(classes / "bundle")
    rows = opened.model.background[:3]
    with pytest.raises(InputError, match="labels are one a row: got 1 for 3 rows"):
        ascribe.probe(opened, rows, labels=["a"], attacks=["fgsm"], methods=[])
    told = ascribe.probe(opened, rows, attacks=[], methods=["saliency"])
    steady = told.stable[0]
    some = replace(told, stable=(replace(steady, moved=np.array([np.nan, 0.25, 0.125])),))
    assert "0.25" in Page(probes.page(some)).texts


def test_layers_of_a_graph_without_any_are_refused(place):
    opened = ascribe.open(place / "bundle")
    with pytest.raises(CapabilityError, match="no layers of weights"):
        ascribe.compare(opened, opened.model.background, near=0, layers=2)
    with pytest.raises(InputError, match="layers are those of a bundle's network"):
        ascribe.compare(lambda X: X[:, 0], opened.model.background, layers=2)


def test_figures_and_plain_numbers(place):
    opened = ascribe.open(place / "bundle")
    drawn = importance_figure(ascribe.importance(opened, opened.model.background))
    assert [text.get_text() for text in drawn.axes[0].get_yticklabels()] == ["misses", "busy", "ghz"]
    assert plain({"a": np.float32(np.nan), "b": (np.int64(3), np.array([1.0, np.inf]))}) == {
        "a": None,
        "b": [3, [1.0, None]],
    }
