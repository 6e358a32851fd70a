"""Components that prepare columns, from messages written field by field; each against its rule in plain Python."""

from __future__ import annotations

import bisect

import numpy as np
import pytest

from ascribe.core.errors import InputError
from ascribe.core.federated import Table, answer, ask
from ascribe.core.federated.components import Passing
from ascribe.core.federated.table import Context
from ascribe.train.adapters.fate import read_fate
from ascribe.train.adapters.fate.messages import EMPTY

from .made import b, cache, component, d, ds, i, m, pipeline

LR = "HeteroLRGuest"


def s(number: int, text: str) -> bytes:
    return b(number, text)


def linear(weights: dict[str, float], intercept: float = 0.0) -> bytes:
    return m(4, weights, s, d) + d(5, intercept) + b"".join(s(6, name) for name in weights)


def before_lr(tmp_path, kind: str, meta: bytes, param: bytes, weights: dict[str, float], more=None, source="args.data"):
    """A guest: one component, then a linear model whose terms show what came out."""
    components = {
        "first_0": component(kind, source, "model", "first_0"),
        "hetero_lr_0": component("HeteroLR", "first_0.data", "model", "hetero_lr_0", LR),
    } | (more or {})
    files = {
        f"first_0.model:{kind}Meta": meta, f"first_0.model:{kind}Param": param,
        f"hetero_lr_0.model:{LR}Meta": b"", f"hetero_lr_0.model:{LR}Param": linear(weights),
        "pipeline.pipeline:Pipeline": pipeline(components, roles={"guest": [9999], "host": [10000]}),
    }  # fmt: skip
    return read_fate(cache(tmp_path / "m", files), "guest")


def reach(guest, rows: list[dict]):
    """What reaches the model: weights are 1, so terms are values; and the context of the call."""
    context = Context(guest.name, len(rows))
    parts = guest.pipeline.local_inference(context, Table.of_rows(rows))
    return parts["hetero_lr_0"].terms[:, 0], context


ONES = {"x": 1.0, "y": 1.0}


@pytest.mark.parametrize(
    ("kind", "imputed", "rows", "wanted"),
    [
        ("dense", False, [{"x": "1.5", "y": 2}, {"x": 3.0}], [[1.5, 2], [3, 0]]),
        ("tag", False, [{"x": 1, "other": 7}, {}], [[1, 0], [0, 0]]),
        ("sparse", True, [{"x": 1}, {"y": "4"}], [[1, 9], [8, 4]]),
        ("dense", True, [{"x": "NA", "y": ""}, {"x": None, "y": "null"}, {"x": 5, "y": -1}], [[8, 9], [8, 9], [5, -1]]),
        ("dense", True, [{"x": "-999", "y": -999}, {"x": -999.0, "y": "N/A "}], [[8, 9], [-999, None]]),
    ],
)
@pytest.mark.parametrize("name", ["DataIO", "DataTransform"])
def test_formats_and_imputer(name, kind, imputed, rows, wanted, tmp_path):
    """Missing values are texts: -999 is one of them, -999.0 is not."""
    words = b"".join(s(3, w) for w in ("", "na", "null", "none", "-999"))
    meta = s(1, kind) + b(10, i(1, imputed) + words) + i(12, 1)
    param = s(1, "x") + s(1, "y") + (b(4, m(1, {"x": "8", "y": "9"}, s, s)) if imputed else b"")
    found, context = reach(before_lr(tmp_path, name, meta, param, ONES), rows)
    for r, row in enumerate(wanted):
        if None in row:
            assert context.code[r] == 102
            assert "'y' is 'N/A ', which is no number" in context.reasons[r]
        else:
            assert context.code[r] == 0
            assert found[r].tolist() == row


def test_the_imputer_drops_other_columns_and_outliers_are_replaced(tmp_path):
    meta = s(1, "dense") + b(10, i(1, 1) + s(3, "")) + b(11, i(1, 1) + s(3, "9999")) + i(12, 1)
    param = b(4, m(1, {"x": "8"}, s, s)) + b(5, m(1, {"x": "3.5"}, s, s))
    found, _ = reach(before_lr(tmp_path, "DataIO", meta, param, ONES), [{"x": "9999", "y": 4}, {"y": 2}])
    assert found.tolist() == [[3.5, 0], [8, 0]]


def scale_param(columns: dict) -> bytes:
    return m(1, columns, s, lambda n, v: b(n, d(3, v[1]) + d(4, v[0]) + d(5, v[2]) + d(6, v[3])))


@pytest.mark.parametrize("method", ["min_max_scale", "standard_scale"])
def test_scaling(method, tmp_path):
    columns = {"x": (-1.0, 3.0, 0.5, 2.0), "y": (1.0, 1.0 + 1e-7, 0.25, 0.0)}
    guest = before_lr(tmp_path, "Scale", s(1, method) + i(9, 1), scale_param(columns), {"x": 1, "y": 1, "z": 1})
    rows = [{"x": v, "y": v, "z": v} for v in (-2.0, -1.0, 0.123456789, 1.00000005, 3.0, 4.5)]
    found, _ = reach(guest, rows)
    for r, row in enumerate(rows):
        for c, name in enumerate("xy"):
            low, high, mean, std = columns[name]
            v = row[name]
            if method == "min_max_scale":
                width = high - low if high - low >= 1e-6 else 1
                wanted = 1 if v > high else 0 if v < low else (v - low) / width
            else:
                wanted = (min(max(v, low), high) - mean) / (std or 1)
            assert found[r, guest.pipeline.last[1].columns.index(name)] == pytest.approx(wanted, abs=1e-15), (r, c)
        assert found[r, guest.pipeline.last[1].columns.index("z")] == row["z"]


@pytest.mark.parametrize(("semantics", "decimals"), [("serving-2.1", None), ("fate-1.4", 6), ("fate-1.7", None)])
def test_scaled_values_are_rounded_where_training_did(semantics, decimals, tmp_path):
    before_lr(tmp_path, "Scale", s(1, "standard_scale") + i(9, 1), scale_param({"x": (-9, 9, 0.0, 3.0)}), ONES)
    guest = read_fate(tmp_path / "m", "guest", semantics)
    found, _ = reach(guest, [{"x": 1.0}])
    assert found[0, 0] == (1 / 3 if decimals is None else round(1 / 3, decimals))
    assert guest.info["semantics"]["scale_decimals"] == decimals


def test_a_scaling_that_is_not_to_run_may_have_an_empty_param(tmp_path):
    """The five bytes that stand for an empty message; they would parse as a text too."""
    guest = before_lr(tmp_path, "Scale", s(1, "standard_scale"), EMPTY, ONES)
    assert isinstance(guest.pipeline.steps[0].component, Passing)
    assert reach(guest, [{"x": 7, "y": 1}])[0].tolist() == [[7, 1]]


def test_binning(tmp_path):
    points = {"x": [-1.0, 0.0, 0.5, 2.0], "y": [0.0], "z": [1.0, 2.0]}
    result = m(1, points, s, lambda n, v: b(n, ds(7, v)))
    header = b"".join(s(3, c) for c in ("z", "x", "y"))
    meta = i(1, 1) + b(9, b(1, bytes([1, 2])) + s(2, "woe"))  # places in the header: x and y
    guest = before_lr(tmp_path, "HeteroFeatureBinningGuest", meta, b(1, result) + header, {"x": 1, "y": 1, "z": 1})
    values = [-5.0, -1.0, -0.5, 0.0, 0.5, 0.7, 2.0, 9.0]
    found, _ = reach(guest, [{"x": v, "y": v, "z": v} for v in values])
    columns = guest.pipeline.last[1].columns
    for r, v in enumerate(values):
        for name in "xy":
            assert found[r, columns.index(name)] == min(bisect.bisect_left(points[name], v), len(points[name]) - 1)
        assert found[r, columns.index("z")] == v


def test_selection(tmp_path):
    left = b(2, s(1, "y") + s(1, "x") + m(2, {"x": 1, "y": 0}, s, i))
    guest = before_lr(tmp_path, "HeteroFeatureSelectionGuest", i(10, 1), left, ONES)
    assert reach(guest, [{"x": 2, "y": 3}])[0].tolist() == [[2, 0]]


def test_one_hot(tmp_path):
    held = {"x": (["1", "2"], ["x_1", "x_2"])}
    param = m(1, held, s, lambda n, v: b(n, b"".join(s(1, t) for t in v[0]) + b"".join(s(2, t) for t in v[1])))
    weights = {"x_1": 1.0, "x_2": 1.0, "x": 1.0, "y": 1.0}
    guest = before_lr(tmp_path, "OneHotEncoder", s(1, "x") + i(3, 1), param, weights)
    rows = [{"x": 1, "y": 5}, {"x": "2"}, {"x": "1.0"}, {"x": 3}, {}, {"x": "1.5"}, {"x": "red"}]
    found, context = reach(guest, rows)
    columns = guest.pipeline.last[1].columns
    order = [columns.index(c) for c in ("x_1", "x_2", "x", "y")]
    assert found[:5][:, order].tolist() == [[1, 0, 0, 5], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert context.code.tolist() == [0, 0, 0, 0, 0, 102, 102]
    assert "'x' must be a whole number" in context.reasons[5]


@pytest.mark.parametrize(
    ("kind", "meta", "param"),
    [
        ("Scale", s(1, "standard_scale") + i(9, 1), scale_param({"x": (-9, 9, 0.0, 3.0)})),
        ("HeteroFeatureBinningGuest", i(1, 1) + b(9, b(1, bytes([0]))),
         b(1, m(1, {"x": [0.0, 1.0]}, s, lambda n, v: b(n, ds(7, v)))) + s(3, "x")),
    ],
    ids=["scale", "binning"],
)  # fmt: skip
def test_a_value_that_is_no_number_fails_its_row_with_the_columns_name(kind, meta, param, tmp_path):
    guest = before_lr(tmp_path, kind, meta, param, ONES)
    _, context = reach(guest, [{"x": 1}, {"x": "high"}, {"x": [1]}, {"x": "1_0"}])
    assert context.code.tolist() == [0, 102, 102, 102]
    assert context.reasons[1] == "'x' is 'high', which is no number"


def test_rows_are_not_written_into_and_branches_do_not_see_each_other(tmp_path):
    """Scaling in one branch, the raw column in the other, and the caller's rows as they were."""
    more = {"hetero_lr_1": component("HeteroLR", "args.data", "model", "hetero_lr_1", LR)}
    meta, param = s(1, "standard_scale") + i(9, 1), scale_param({"x": (-9, 9, 0.0, 2.0)})
    components = {
        "first_0": component("Scale", "args.data", "model", "first_0"),
        "hetero_lr_0": component("HeteroLR", "first_0.data", "model", "hetero_lr_0", LR),
    } | more
    files = {"first_0.model:ScaleMeta": meta, "first_0.model:ScaleParam": param}
    for name in ("hetero_lr_0", "hetero_lr_1"):
        files |= {f"{name}.model:{LR}Meta": b"", f"{name}.model:{LR}Param": linear({"x": 1.0})}
    files["pipeline.pipeline:Pipeline"] = pipeline(components, roles={"guest": [9999], "host": [1]})
    guest = read_fate(cache(tmp_path / "m", files), "guest")
    rows = [{"x": 3.0}, {"x": "5"}]
    kept = [dict(row) for row in rows]
    table = Table.of_rows(rows)
    before = {name: held.copy() for name, held in table.columns.items()}
    parts = guest.pipeline.local_inference(Context(guest.name, 2), table)
    assert parts["hetero_lr_0"].sums[:, 0].tolist() == [1.5, 2.5]
    assert parts["hetero_lr_1"].sums[:, 0].tolist() == [3.0, 5.0]
    assert rows == kept
    assert {n: h.tolist() for n, h in before.items()} == {n: h.tolist() for n, h in table.columns.items()}


def test_columns_as_numbers_are_prepared_as_texts_are(tmp_path):
    words = b"".join(s(3, w) for w in ("", "na"))
    meta = s(1, "sparse") + b(10, i(1, 1) + words) + i(12, 1)
    param = s(1, "x") + s(1, "y") + b(4, m(1, {"x": "8", "y": "9"}, s, s))
    guest = before_lr(tmp_path, "DataIO", meta, param, ONES)
    X = np.array([[1.5, np.nan], [np.nan, -2.0]])
    numbers = guest.pipeline.local_inference(Context(guest.name, 2), Table.of_matrix(("x", "y"), X))
    texts = guest.pipeline.local_inference(Context(guest.name, 2), Table.of_rows([{"x": "1.5"}, {"y": "-2"}]))
    assert numbers["hetero_lr_0"].terms.tolist() == texts["hetero_lr_0"].terms.tolist() == [[[1.5, 9]], [[8, -2]]]


# ---- linear models


def one_vs_rest(weights: list[dict[str, float]], classes=("a", "b", "c")) -> bytes:
    models = b"".join(b(1, m(4, w, s, d) + d(5, 0.1 * k)) for k, w in enumerate(weights))
    return b(7, models + b"".join(s(2, c) for c in classes)) + i(8, 1)


def lr_pair(tmp_path, mine: bytes, theirs: bytes, meta: bytes = b"", hosts=(1,)):
    out = []
    for role, param in (("Guest", mine), *((f"Host{h}", theirs) for h in hosts)):
        side = role.rstrip("0123456789")
        kind = f"HeteroLR{side}"
        components = {"hetero_lr_0": component("HeteroLR", "args.data", "model", "hetero_lr_0", kind)}
        files = {
            f"hetero_lr_0.model:{kind}Meta": meta, f"hetero_lr_0.model:{kind}Param": param,
            "pipeline.pipeline:Pipeline": pipeline(components, roles={"guest": [9], "host": list(hosts)}),
        }  # fmt: skip
        party = f"host:{role[4:]}" if side == "Host" else None
        out.append(read_fate(cache(tmp_path / role, files), side.lower(), party=party))
    return out


def test_one_model_a_class_against_the_rest(tmp_path):
    from ascribe.core.federated import score

    mine = [{"x": 1.0}, {"x": -2.0}, {"y": 0.5}]
    theirs = [{"p": 0.5}, {"p": 1.0}, {"p": -1.0}]
    guest, host = lr_pair(tmp_path, one_vs_rest(mine), one_vs_rest(theirs))
    found = score(guest, Table.of_rows([{"x": 1, "y": 2}]), [1],
                  {"1": lambda asked: answer(host, asked, Table.of_rows([{"p": 3}]))})  # fmt: skip
    z = np.array([1 + 1.5, -2 + 3 + 0.2, 1 - 3 + 0.4])
    assert found.score[0] == pytest.approx(1 / (1 + np.exp(-z)), abs=1e-12)
    assert found.label == ("a",)


def test_a_row_that_one_of_two_hosts_lacks_is_an_error_and_never_a_smaller_sum(tmp_path):
    from ascribe.core.federated import score

    guest, one, two = lr_pair(tmp_path, linear({"x": 1.0}), linear({"p": 1.0}), hosts=(1, 2))
    rows = Table.of_rows([{"p": 1}, {"p": 2}])
    found = score(guest, Table.of_rows([{"x": 1}, {"x": 1}]), [1, 2], {
        "1": lambda asked: answer(one, asked, rows),
        "2": lambda asked: answer(two, asked, rows, np.array([True, False])),
    })  # fmt: skip
    assert found.code.tolist() == [0, 2113]
    assert found.margin[0, 0] == pytest.approx(3.0)
    assert np.isnan(found.margin[1, 0])


def test_parts_by_column_come_only_from_a_host_that_agreed_and_was_asked(tmp_path):
    from dataclasses import replace

    from ascribe.core.federated import Explainer, score

    guest, host = lr_pair(tmp_path, linear({"x": 2.0}, 0.5), linear({"p": 3.0, "q": 1.0}))
    open_host = replace(host, shares_columns=True)
    row = Table.of_rows([{"p": 1.0, "q": 4.0}])
    for party, asks, told in ((host, True, False), (open_host, False, False), (open_host, True, True)):
        reply = answer(party, ask(guest, [1], columns=asks), row)
        assert (reply.parts["hetero_lr_0"].terms is not None) == told
    found = score(guest, Table.of_rows([{"x": 1.0}]), [1], {"1": lambda q: answer(open_host, q, row)}, columns=True)
    shown = Explainer(guest, {"host:1": "bank"})(found)
    assert dict(zip(shown.features, shown.values[0], strict=True)) == {"x": 2.0, "bank.p": 3.0, "bank.q": 4.0}
    assert shown.base_value + shown.values.sum() == pytest.approx(found.margin[0, 0])


@pytest.mark.parametrize(
    ("meta", "param", "text"),
    [
        (b"", m(10, {"x": b(1, "n")}, s, b) + s(6, "x"), "encrypted"),
        (s(14, "encrypted_reveal_in_host"), linear({"x": 1.0}), "encrypted"),
        (b"", s(6, "x"), "columns and no weights"),
        (i(12, 1), linear({"x": 1.0}), "0 models for 0 classes"),
        (b"", linear({"x": float("nan")}), "not finite"),
    ],
    ids=["weights", "strategy", "none", "classes", "nan"],
)
def test_linear_models_that_cannot_be_scored_are_refused(meta, param, text, tmp_path):
    with pytest.raises(InputError, match=text):
        lr_pair(tmp_path, param, param, meta)
