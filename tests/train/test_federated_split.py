"""XGBoost and LightGBM models split between parties, against the unsplit ones."""

from __future__ import annotations

import csv
import gzip
import io
import json
from itertools import product
from math import factorial
from pathlib import Path

import lightgbm
import numpy as np
import pytest
import xgboost
from scipy.special import expit
from typer.testing import CliRunner

from ascribe.bundle.archive import open_directory
from ascribe.bundle.federated.half import open_party, write_party
from ascribe.cli import app
from ascribe.core.errors import InputError
from ascribe.core.federated import Explainer, Table, answer, score
from ascribe.core.federated.players import tree_players
from ascribe.core.federated.split import split_trees
from ascribe.core.trees import margin
from ascribe.train.adapters.lightgbm_trees import lightgbm_trees
from ascribe.train.adapters.xgboost_trees import xgboost_trees
from ascribe.train.federated_split import held_out, read_parties, split_model

DATA = Path(__file__).resolve().parents[2] / "examples" / "data"
TREES, DEPTH = 300, 6


def adult() -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Texts as numbers of their own; some values taken out."""
    with gzip.open(DATA / "adult.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))[:6000]
    names = tuple(c for c in rows[0] if c != "income")
    kinds = {c: sorted({row[c] for row in rows}) for c in names}
    numeric = {c: all(v.lstrip("-").isdigit() for v in kinds[c]) for c in names}
    X = np.array([[float(r[c]) if numeric[c] else kinds[c].index(r[c]) for c in names] for r in rows])
    X[np.random.default_rng(0).random(X.shape) < 0.03] = np.nan
    return names, X, np.array([row["income"].strip().startswith(">") for row in rows], float)


def breast() -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    def read(name: str) -> list[dict[str, str]]:
        with (DATA / "fate" / f"breast_hetero_{name}.csv").open() as file:
            return list(csv.DictReader(file))

    mine, theirs = read("guest"), read("host")
    names = (*(f"g{i}" for i in range(10)), *(f"h{i}" for i in range(20)))
    X = np.array([[float(row[f"x{i}"]) for i in range(10)] for row in mine])
    Z = np.array([[float(row[f"x{i}"]) for i in range(20)] for row in theirs])
    return names, np.hstack([X, Z]), np.array([float(row["y"]) for row in mine])


TABLES = {"adult": adult(), "breast": breast()}


def parties_of(names: tuple[str, ...], hosts: int = 2) -> dict[str, str]:
    return {c: ("guest", "bank", "telco")[i % (hosts + 1)] for i, c in enumerate(names)}


def boosted(table: str, trees: int = TREES, **params: object) -> xgboost.Booster:
    names, X, y = TABLES[table]
    options = {"max_depth": DEPTH, "objective": "binary:logistic", "eta": 0.1, "nthread": 1, "seed": 0} | params
    return xgboost.train(options, xgboost.DMatrix(X, y, feature_names=list(names)), trees)


@pytest.fixture(scope="module", params=TABLES)
def split(request):
    booster = boosted(request.param)
    names, X, _ = TABLES[request.param]
    return booster, names, X, split_trees(xgboost_trees(booster), parties_of(names), request.param)


def ask(halves, names, X):
    def own(n: str) -> Table:
        return Table.of_matrix(halves[n].inputs, X[:, [names.index(c) for c in halves[n].inputs]])

    calls = {n: lambda asked, n=n: answer(halves[n], asked, own(n)) for n in halves if n != "guest"}
    return score(halves["guest"], own("guest"), range(len(X)), calls)


def test_scores_are_those_of_the_whole_model(split):
    booster, names, X, halves = split
    found = ask(halves, names, X[:2000])
    matrix = xgboost.DMatrix(X[:2000], feature_names=list(names))
    assert len(xgboost_trees(booster)) == TREES
    assert np.abs(found.score[:, 0] - booster.predict(matrix)).max() < 1e-6
    assert np.abs(found.margin - margin(xgboost_trees(booster), X[:2000])).max() < 1e-9


def by_coalitions(trees, structure, player, p, left):
    """Every coalition's value, both branches weighted by cover where the player is absent; then the definition."""
    coalitions = list(product([False, True], repeat=p))
    inside = np.array(coalitions)
    held = np.repeat(trees.value[:, 0][None], len(inside), axis=0)
    for level in structure.levels[::-1]:
        n = level[~structure.leaf[level]]
        a, b = structure.left[n], structure.right[n]
        share = trees.cover[a] / (trees.cover[a] + trees.cover[b])
        mean = share * held[:, a] + (1 - share) * held[:, b]
        held[:, n] = np.where(inside[:, player[n]], np.where(left[n], held[:, a], held[:, b]), mean)
    v = dict(zip(coalitions, trees.base[0] + held[:, trees.start[:-1]].sum(axis=1), strict=True))
    phi = np.zeros(p)
    for i in range(p):
        for S in coalitions:
            if not S[i]:
                size = sum(S)
                weight = factorial(size) * factorial(p - size - 1) / factorial(p)
                phi[i] += weight * (v[(*S[:i], True, *S[i + 1 :])] - v[S])
    return v[(False,) * p], phi


def test_attributions_are_those_of_the_whole_model_with_hosts_grouped(split):
    booster, names, X, halves = split
    trees, guest = xgboost_trees(booster), halves["guest"]
    found = ask(halves, names, X[:3])
    shown = Explainer(guest, {"host:bank": "bank", "host:telco": "telco"})(found)
    half = guest.pipeline.last[1]
    held = tree_players(half, {"host:bank": "bank", "host:telco": "telco"})
    place = [names.index(c) for c in half.columns]
    for i in range(3):
        with np.errstate(invalid="ignore"):  # the way at every node by the library's own rule, of the whole model
            x = X[i].astype(np.float32)[trees.feature]
            left = np.where(np.isnan(x), trees.missing_left, x < trees.threshold)
        used = [j for j in range(len(held.names)) if (held.player == j).any()]
        place_of = np.full(len(held.names) + 1, -1)
        place_of[used] = np.arange(len(used))
        base, phi = by_coalitions(trees, half.structure, place_of[held.player], len(used), left)
        assert shown.base_value == pytest.approx(base, abs=1e-6)
        assert shown.values[i, used] == pytest.approx(phi, abs=1e-6)
        assert np.delete(shown.values[i], used) == pytest.approx(0.0)
    assert shown.features[: len(place)] == half.columns
    assert shown.features[len(place) :] == ("bank", "telco")


def test_one_column_each_is_what_xgboost_says(tmp_path):
    """With hosts of one column each, hosts play as columns: XGBoost's own path-dependent values."""
    names, X, _ = TABLES["breast"]
    keep = [0, 3, 10, 22]
    few = tuple(names[i] for i in keep)
    booster = xgboost.train({"max_depth": 4, "objective": "binary:logistic", "nthread": 1},
                            xgboost.DMatrix(X[:, keep], TABLES["breast"][2], feature_names=list(few)), 30)  # fmt: skip
    halves = split_trees(xgboost_trees(booster), dict(zip(few, ["guest", "guest", "bank", "telco"], strict=True)))
    shown = Explainer(halves["guest"])(ask(halves, few, X[:50, keep]))
    wanted = booster.predict(xgboost.DMatrix(X[:50, keep], feature_names=list(few)), pred_contribs=True)
    assert np.abs(shown.values - wanted[:, :-1]).max() < 1e-5
    assert shown.base_value == pytest.approx(wanted[0, -1], abs=1e-5)


def test_thresholds_are_met_exactly():
    """Rows on thresholds, a float32 step to either side, and as decimals that are no float32 number."""
    names, X, _ = TABLES["breast"]
    booster = boosted("breast", 40)
    trees = xgboost_trees(booster)
    halves = split_trees(trees, parties_of(names))
    rng = np.random.default_rng(1)
    rows = X[rng.integers(0, len(X), 600)].copy()
    inner = np.flatnonzero(~trees.leaf)
    for row in rows:
        for n in rng.choice(inner, 12):
            c = np.float32(trees.threshold[n])
            row[trees.feature[n]] = [c, np.nextafter(c, np.float32(-9)), np.nextafter(c, np.float32(9)),
                                     np.nextafter(float(c), -9.0)][int(rng.integers(4))]  # fmt: skip
    wanted = booster.predict(xgboost.DMatrix(rows, feature_names=list(names)), output_margin=True)
    assert np.abs(ask(halves, names, rows).margin[:, 0] - wanted).max() < 1e-5


@pytest.mark.parametrize("classes", [1, 3])
def test_lightgbm_with_categories_zeros_and_missing_values(classes, tmp_path):
    names, X, y = TABLES["adult"]
    rng = np.random.default_rng(2)
    X = np.where(rng.random(X.shape) < 0.1, 0.0, X)
    target = y if classes == 1 else rng.integers(0, 3, len(y)) * (y + 1) % 3
    params = {"objective": "binary" if classes == 1 else "multiclass", "num_class": classes, "verbosity": -1,
              "num_leaves": 20, "zero_as_missing": classes == 1, "deterministic": True, "num_threads": 1}  # fmt: skip
    data = lightgbm.Dataset(X, target, feature_name=list(names), categorical_feature=["workclass", "occupation"])
    booster = lightgbm.train(params, data, 20)
    path = tmp_path / "model.txt"
    path.write_text(booster.model_to_string())
    halves = split_model(path, parties_of(names))
    found = ask(halves, names, X[:500])
    assert np.abs(found.score.squeeze() - booster.predict(X[:500])).max() < 1e-9
    shown = Explainer(halves["guest"])(found, classes - 1)
    assert shown.info.gaps["efficiency_gap"] < 1e-9
    assert (lightgbm_trees(booster).categorical.any()) and len(found.labels) == (classes if classes > 1 else 0)


def test_a_guests_bundle_has_no_threshold_of_a_host_and_a_hosts_no_weight(split, tmp_path):
    """Byte for byte, also as float32 and as text."""
    _, names, X, halves = split
    for name, half in halves.items():
        write_party(tmp_path / name, half, "2026-11-01T00:00:00Z", "0")
    held = {name: {f.name: f.read_bytes() for f in (tmp_path / name).iterdir()} for name in halves}
    forms = (lambda x: np.float64(x).tobytes(), lambda x: np.float32(x).tobytes(), lambda x: repr(float(x)).encode())

    def numbers_in(numbers, files: dict[str, bytes]) -> int:
        arrays = np.load(io.BytesIO(files["arrays.npz"]))
        blob = b"".join([*files.values(), *(arrays[n].tobytes() for n in arrays.files)])
        return sum(any(form(x) in blob for form in forms) for x in numbers)

    leaves = halves["guest"].pipeline.last[1].leaves
    weights = np.unique(leaves.value[halves["guest"].pipeline.last[1].structure.leaf, 0])[::20]
    assert numbers_in(weights, held["guest"]) == len(weights)
    mine = set(halves["guest"].pipeline.last[1].splits.threshold.tolist())
    for host in ("bank", "telco"):
        cuts = [c for c in np.unique(halves[host].pipeline.last[1].splits.threshold) if c not in mine and c % 1][::5]
        assert len(cuts) > 5
        assert numbers_in(cuts, held[host]) == len(cuts)
        assert numbers_in(cuts, held["guest"]) == 0
        assert numbers_in(weights, held[host]) == 0
        assert not any(c.encode() in b"".join(held["guest"].values()) for c in halves[host].inputs if len(c) > 3)
    opened = {name: open_party(open_directory(tmp_path / name)) for name in halves}
    again, first = ask(opened, names, X[:20]), ask(halves, names, X[:20])
    assert again.margin.tobytes() == first.margin.tobytes()


def test_the_command(tmp_path):
    names, X, _ = TABLES["breast"]
    boosted("breast", 5).save_model(tmp_path / "m.ubj")
    (tmp_path / "map.json").write_text(json.dumps(parties_of(names, 1)))
    done = CliRunner().invoke(
        app, ["federated", "split", str(tmp_path / "m.ubj"), "--parties", str(tmp_path / "map.json"), "--out",
              str(tmp_path / "out")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    halves = {n: open_party(open_directory(tmp_path / "out" / n)) for n in ("guest", "bank")}
    assert halves["guest"].hosts == ("host:bank",)
    wanted = expit(margin(xgboost_trees(boosted("breast", 5)), X))
    assert np.abs(ask(halves, names, X).score - wanted).max() < 1e-12


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"g0": None}, "no party for g0"),
        ({"zz": "bank"}, "the model has no zz"),
        ({"g0": "../x"}, "'../x' cannot be a party"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(change, text):
    names, _, _ = TABLES["breast"]
    parties = {c: p for c, p in (parties_of(names) | change).items() if p is not None}
    with pytest.raises(InputError, match=text):
        split_trees(xgboost_trees(boosted("breast", 2)), parties)


def test_maps_without_a_guest_or_a_host_and_files_that_are_no_model_are_refused(tmp_path):
    names, _, _ = TABLES["breast"]
    trees = xgboost_trees(boosted("breast", 2))
    for only in ("guest", "bank"):
        with pytest.raises(InputError, match="it must name 'guest'"):
            split_trees(trees, dict.fromkeys(names, only))
    for raw in (b"nothing", b"{}", b"{\x00\xff", b"tree\nversion=v4\nbroken"):
        (tmp_path / "m").write_bytes(raw)
        with pytest.raises(InputError) as told:
            split_model(tmp_path / "m", parties_of(names))
        assert "\n" not in str(told.value)
    for text in ("[]", "{", '{"a": 1}', "{}"):
        (tmp_path / "p").write_text(text)
        with pytest.raises(InputError):
            read_parties(tmp_path / "p")


def test_held_out_rows_whose_label_is_a_text_are_refused_in_words(tmp_path):
    names, X, _ = TABLES["breast"]
    rows = [dict(zip(names, row, strict=True)) | {"id": k, "y": ("no", "yes")[k % 2]} for k, row in enumerate(X[:4])]
    with (tmp_path / "held.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", *names, "y"])
        writer.writeheader()
        writer.writerows(rows)
    halves = split_trees(xgboost_trees(boosted("breast", 2)), parties_of(names))
    with pytest.raises(InputError, match=r"'y' of .* is not of numbers \(.*\): write classes as 0, 1"):
        held_out(halves, tmp_path / "held.csv", "y")


@pytest.mark.parametrize(("ids", "wrong"), [(["007", "7"], False), (["7", "7"], True), (["7", ""], True)])
def test_ids_of_held_out_rows_are_as_they_are_written(ids, wrong, tmp_path):
    """The gate finds rows by them, beside rows whose replies hosts gave to these very texts."""
    names, _, _ = TABLES["breast"]
    path, halves = tmp_path / "held.csv", split_trees(xgboost_trees(boosted("breast", 2)), parties_of(names))
    columns = [name for half in halves.values() for name in half.inputs]
    lines = [",".join(["id", *columns])] + [",".join([name, *("1" for _ in columns)]) for name in ids]
    path.write_text("\n".join(lines) + "\n")
    if wrong:
        with pytest.raises(InputError, match="give each row one of its own"):
            held_out(halves, path, None)
    else:
        assert held_out(halves, path, None).ids == tuple(ids)


def test_a_column_that_held_out_rows_have_twice_is_refused_in_words(tmp_path):
    names, _, _ = TABLES["breast"]
    halves = split_trees(xgboost_trees(boosted("breast", 2)), parties_of(names))
    (tmp_path / "held.csv").write_text(",".join(["id", *names, names[3]]) + "\n" + ",".join(["7"] + ["1"] * 31) + "\n")
    with pytest.raises(InputError, match=f"the column '{names[3]}' twice"):
        held_out(halves, tmp_path / "held.csv", None)
