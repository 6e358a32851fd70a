"""`ascribe import`, publish, promote; the gate of a classifier, and of a model without held-out rows."""

from __future__ import annotations

import lightgbm
import polars as pl
import pytest

import ascribe
from tests.journey import ROOT, typed
from tests.journey import ascribe as command

ADULT = ROOT / "examples" / "data" / "adult.csv.gz"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("adopted")
    rows = pl.read_csv(ADULT).gather_every(16)
    rows.write_csv(place / "rows.csv")
    numbers = [name for name in rows.columns if rows[name].dtype.is_numeric()]
    X, y = rows.select(numbers).to_pandas(), (rows["income"] == ">50K").to_numpy().astype(int)
    lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(X, y).booster_.save_model(place / "good.txt")
    lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(X, 1 - y).booster_.save_model(place / "wrong.txt")
    (place / "labels.txt").write_text("<=50K\n>50K\n")
    return place


def imported(place, name, out, *more, by=typed):
    return by("import", place / name, "--background", place / "rows.csv", "--labels", place / "labels.txt",
              "--out", place / out, *more)  # fmt: skip


def test_the_journey_of_a_classifier(place):
    for name in ("good", "wrong"):
        done = imported(place, f"{name}.txt", name, "--target", "income", "--output", ">50K", by=command)
        assert done.returncode == 0, done.stderr
        assert "explains class '>50K'" in done.stderr
    assert ascribe.open(place / "good").model.output == ">50K"
    told = typed("explainers", place / "good").stdout
    assert "tree_shap" in told
    assert "2 classes (<=50K, >50K) in margin, probability" in told
    versions = {}
    for name in ("good", "wrong"):
        done = command("publish", place / name, "--registry", place / "registry", "--name", "income")
        assert done.returncode == 0, done.stderr
        versions[name] = done.stdout.strip()
    good = command("promote", "income", versions["good"], "--registry", place / "registry")
    assert good.returncode == 0, good.stderr
    assert "of held-out rows classified as they are, log loss" in good.stderr
    wrong = typed("promote", "income", versions["wrong"], "--registry", place / "registry")
    assert wrong.returncode == 3
    assert "missed probability on its own held-out rows is worse" in wrong.stderr


def test_without_held_out_rows_the_gate_says_what_it_does_not_know(place):
    assert imported(place, "good.txt", "bare").returncode == 0
    done = typed("publish", place / "bare", "--registry", place / "registry", "--name", "bare")
    promoted = typed("promote", "bare", done.stdout.strip(), "--registry", place / "registry")
    assert promoted.returncode == 0, promoted.stderr
    assert "nobody knows how good it is" in promoted.stderr


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (("--output", "rich"), "no output 'rich': this model has <=50K, >50K"),
        (("--link", "magic"), "--link is softmax or logistic"),
        (("--image", "big"), "HEIGHTxWIDTH"),
        (("--mean", "a,b"), "one number or one a channel"),
        (("--labels", "nowhere.txt"), "there is no file nowhere.txt"),
    ],
)
def test_wrong_options_are_one_line(more, text, place):
    done = imported(place, "good.txt", "none", *more)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    said = done.stderr.strip().splitlines()[-1]  # a bar may stand before it
    assert said.startswith("ascribe: ") and text in said
