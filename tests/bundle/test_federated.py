"""Halves of federated models as bundles: what is written opens again, what is damaged does not."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from ascribe.bundle.archive import entry, open_directory, pack, unpack, write
from ascribe.bundle.federated.half import open_party, write_party
from ascribe.bundle.runtime import load
from ascribe.core.errors import BundleError, TamperedError
from ascribe.core.federated import Party, Pipeline, Step, Table
from ascribe.core.federated.components import (
    Binning,
    BoostedTrees,
    DataTransform,
    LinearModel,
    OneHot,
    Passing,
    Scale,
    Selection,
)
from ascribe.core.federated.leaves import Leaves
from ascribe.core.federated.splits import Splits
from ascribe.core.federated.structure import Structure
from ascribe.core.federated.table import Context

NAMES = ("a", "b", "c")
CREATED = "2026-11-01T00:00:00Z"
SHAPE = Structure(("guest:1", "host:2"), [0, 5], [1, 0, -1, -1, -1], [1, 3, -1, -1, -1], [2, 4, -1, -1, -1])
LEAVES = Leaves(
    np.array([[0.25], [0.5], [-0.5], [1], [-1]]), [0], [0.0], "logistic", inner=True, cover=[10, 6, 4, 4, 2],
    cover_source="leaf_count",
)  # fmt: skip


def guest() -> Party:
    """Every kind of component."""
    return Party(
        "guest:1",
        Pipeline((
            Step("io", DataTransform("tag", NAMES, ("", "na"), {"a": "1", "b": "0", "c": "2"}, ("9",), {"a": "3"})),
            Step("scale", Scale("standard_scale", {"a": (-3.0, 3.0, 0.1, 0.7)}, 6), "io"),
            Step("bins", Binning({"b": np.array([0.1, 0.2])}), "scale"),
            Step("hot", OneHot({"c": ((1, 2), ("c_1", "c_2"))}), "bins"),
            Step("pass", Passing("IntersectGuest"), "hot"),
            Step("keep", Selection(("a", "b", "c_1", "c_2")), "pass"),
            Step("lr", LinearModel("guest:1", ("guest:1", "host:2"), ("a", "c_1"), [[0.3], [1 / 3]], [0.1]), "keep"),
            Step("trees", BoostedTrees("guest:1", SHAPE, Splits(("a",), [0], [0.1], [True], 1e-8), LEAVES), "keep"),
        )),
        "model@7", ("a", "b", "c"), {"format": "test", "semantics": {"name": "serving-2.1"}},
    )  # fmt: skip


def host() -> Party:
    half = BoostedTrees("host:2", SHAPE, Splits(("z",), [0], [0.7], [False]))
    return Party("host:2", Pipeline((Step("trees", half),)), "model@7", ("z",), {}, True, 0.25, True)


def test_what_is_written_opens_as_it_was(tmp_path):
    rows = Table.of_rows([{"a": "0.5", "b": 0.15, "c": 2}, {"c": "na", "a": "9"}, {}])
    for half in (guest(), host()):
        bundle = write_party(tmp_path / half.role, half, CREATED, "0")
        again = open_party(bundle, half.role)
        for name in ("name", "model", "inputs", "info", "tells_defaults", "minimum_fill", "shares_columns", "digest"):
            assert getattr(again, name) == getattr(half, name), name
        found, wanted = (p.pipeline.local_inference(Context(p.name, 3), rows) for p in (again, half))
        assert list(found) == list(wanted)
        for name in found:
            for field, held in vars(found[name]).items():
                assert np.array_equal(held, vars(wanted[name])[field])
    leaves = open_party(open_directory(tmp_path / "guest")).pipeline.last[1].leaves
    assert vars(leaves).keys() == vars(LEAVES).keys()
    assert all(np.array_equal(held, vars(LEAVES)[name]) for name, held in vars(leaves).items())


def test_bytes_are_the_same_every_time_and_an_archive_holds_them(tmp_path):
    one, two = (write_party(tmp_path / name, guest(), CREATED, "0") for name in "ab")
    assert pack(one) == pack(two)
    assert open_party(unpack(pack(one), "memory")).digest == guest().digest
    assert one.manifest.labels == {"role": "guest", "party": "guest:1"}


def test_a_changed_byte_is_seen(tmp_path):
    bundle = write_party(tmp_path / "b", host(), CREATED, "0")
    for name in ("party.json", "arrays.npz"):
        raw = (tmp_path / "b" / name).read_bytes()
        for at in range(0, len(raw), max(1, len(raw) // 25)):
            (tmp_path / "b" / name).write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
            with pytest.raises(TamperedError):
                open_party(bundle)
        (tmp_path / "b" / name).write_bytes(raw)
    open_party(bundle)


def rewritten(tmp_path, half: Party, edit):
    """With hashes that fit: what somebody could sign who may write bundles."""
    bundle = write_party(tmp_path / "whole", half, CREATED, "0")
    told = json.loads(bundle.read("party"))
    arrays = dict(np.load(io.BytesIO(bundle.read("arrays"))))
    edit(told, arrays)
    out = io.BytesIO()
    np.savez(out, **arrays)
    files = {"party.json": json.dumps(told).encode(), "arrays.npz": out.getvalue()}
    entries = {name: entry(raw) for name, raw in files.items()}
    write(tmp_path / "edited", msgspec.structs.replace(bundle.manifest, files=entries), files)
    return open_directory(tmp_path / "edited")


def trees_record(told):
    return next(s for s in told["steps"] if s["kind"] == "boosted_trees")["record"]


EDITS = {
    "another party": lambda t, a: t.update(name="host:3"),
    "no role": lambda t, a: t.update(name="arbiter:1"),
    "no steps": lambda t, a: t.update(steps=[]),
    "an unknown kind": lambda t, a: t["steps"][0].update(kind="exec"),
    "a source that is not there": lambda t, a: t["steps"][-1].update(source="zz"),
    "no model": lambda t, a: t.pop("model"),
    "a graph": lambda t, a: a.update({k: np.array([1, 0, -1, -1, -1]) for k in a if k.endswith("structure.left")}),
    "too few splits": lambda t, a: a.update({k: a[k][:0] for k in a if "splits.feature" in k}),
    "a column outside": lambda t, a: a.update({k: a[k] + 5 for k in a if "splits.feature" in k}),
    "thresholds that are none": lambda t, a: a.update({k: a[k] * np.nan for k in a if "splits.threshold" in k}),
    "an array gone": lambda t, a: a.pop(next(k for k in a if k.endswith("structure.owner"))),
    "an array too many": lambda t, a: a.update({"0.splits.x": a["0.structure.left"]}),
    "an epsilon that is none": lambda t, a: trees_record(t)["splits"].update(epsilon="much"),
    "a record of another kind": lambda t, a: trees_record(t).update(structure=[1]),
    "decisions as texts": lambda t, a: t.update(minimum_fill="x"),
}  # fmt: skip


@pytest.mark.parametrize("kind", EDITS)
def test_a_half_that_does_not_hold_together_is_refused_in_one_line(kind, tmp_path):
    with pytest.raises(BundleError) as told:
        open_party(rewritten(tmp_path, host(), EDITS[kind]))
    assert "\n" not in str(told.value)
    assert "import or split it again" in str(told.value)


def test_a_host_with_weights_a_guest_without_and_the_other_role_are_refused(tmp_path):
    bare = replace(guest(), pipeline=Pipeline((Step("trees", replace(guest().pipeline.last[1], leaves=None)),)))
    with pytest.raises(BundleError, match="a guest's half has leaves"):
        open_party(write_party(tmp_path / "g", bare, CREATED, "0"))
    full = replace(host(), pipeline=Pipeline((Step("trees", replace(host().pipeline.last[1], leaves=LEAVES)),)))
    with pytest.raises(BundleError, match="a host's has none"):
        open_party(write_party(tmp_path / "h", full, CREATED, "0"))
    with pytest.raises(BundleError, match="is the half of host:2: a guest's is needed"):
        open_party(write_party(tmp_path / "o", host(), CREATED, "0"), "guest")


def test_pickled_arrays_are_not_loaded(tmp_path):
    def edit(_, arrays):
        arrays["0.splits.threshold"] = np.array([{}], dtype=object)

    with pytest.raises(BundleError):
        open_party(rewritten(tmp_path, host(), edit))


def test_another_bundle_is_no_half(tmp_path):
    bundle = write_party(tmp_path / "b", host(), CREATED, "0")
    other = replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, family="power_mlp"))
    with pytest.raises(BundleError, match="is no half of a federated model"):
        open_party(other)


def test_a_half_is_no_model_by_itself(tmp_path):
    bundle = write_party(tmp_path / "b", guest(), CREATED, "0")
    assert bundle.manifest.target.unit == "log-odds"
    with pytest.raises(BundleError, match="is one party's half of a model: its scores need its hosts"):
        load(bundle)


def test_opening_a_half_loads_nothing_of_fate_or_of_training(tmp_path):
    write_party(tmp_path / "b", guest(), CREATED, "0")
    code = (
        "import sys\nfrom pathlib import Path\nfrom ascribe.bundle.archive import open_directory\n"
        "from ascribe.bundle.federated.half import open_party\n"
        f"print(open_party(open_directory(Path({str(tmp_path / 'b')!r}))).name)\n"
        "print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    name, modules = done.stdout.splitlines()
    assert name == "guest:1"
    assert "numpy" in modules.split()
    assert not {"google", "xgboost", "lightgbm", "torch", "onnxruntime", "polars", "grpc"} & set(modules.split())
