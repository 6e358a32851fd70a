"""Several targets in one bundle: parts are bundles in folders, verified by their manifests, and these by the whole."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest

import ascribe as package
from ascribe.bundle import latency
from ascribe.bundle.archive import Bundle, compose, entry, open_directory, pack, unpack, write
from ascribe.bundle.gate.verdict import judge
from ascribe.bundle.latency import timed
from ascribe.bundle.manifest import Manifest, Target, Tier
from ascribe.bundle.registry import Registry
from ascribe.bundle.tables import read_table, write_parquet
from ascribe.core.errors import BundleError, InputError, NotFound, TamperedError
from tests.journey import one_line, typed

from .made import CENTRE, NAME, WEIGHTS, made, parts, rows

DRAM, ODD = Target("dram_power", "W"), Target("platform power (W)", "W")
AT = "2026-11-01T00:00:00Z"


def whole(place: Path, **changes: object) -> Bundle:
    """Power, DRAM power (which is a tenth as large) and a target whose name is no folder."""
    tenth = {"weights": tuple(WEIGHTS / 10), "bias": 4.0} | changes
    X = rows(200, 5)
    y = 4.0 + X @ WEIGHTS / 10 + 0.01 * np.random.default_rng(6).standard_normal(200)
    main = made(place / "main")
    others = {
        DRAM.name: made(place / "dram", target=DRAM, rows_given=(X, y), **tenth),
        ODD.name: made(place / "odd", target=ODD),
    }
    return compose(place / "whole", main, others)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return whole(tmp_path_factory.mktemp("parts"))


def test_parts_lie_in_folders_and_are_bundles(bundle):
    place = Path(bundle.origin)
    assert list(bundle.parts()) == [DRAM.name, ODD.name]
    assert (place / "dram_power" / "manifest.json").is_file()
    assert (place / "part-2" / "predict.onnx").is_file()
    bundle.verify()
    part = bundle.parts()[DRAM.name]
    assert part.manifest.target == DRAM
    assert open_directory(place / "dram_power").manifest == part.manifest
    assert part.manifest.version() != bundle.manifest.version()
    assert open_directory(place.parent / "main").parts() == {}


def test_a_bundle_of_several_comes_back_whole_from_an_archive_and_a_registry(bundle, tmp_path):
    packed = pack(bundle)
    assert pack(bundle) == packed
    back = unpack(packed, "m@1")
    back.verify()
    assert {target: part.manifest for target, part in back.parts().items()} == {
        target: part.manifest for target, part in bundle.parts().items()
    }
    assert back.parts()[DRAM.name].origin == "m@1/dram_power"
    registry = Registry(str(tmp_path))
    version = registry.publish(NAME, bundle)
    registry.promote(NAME, version, AT)
    assert registry.resolve(NAME).parts()[ODD.name].read("predict") == bundle.read("predict")


def test_the_version_depends_on_every_part(bundle, tmp_path):
    assert whole(tmp_path / "same").manifest.version() == bundle.manifest.version()
    assert whole(tmp_path / "other", bias=4.5).manifest.version() != bundle.manifest.version()


def changed(bundle: Bundle, name: str, raw: bytes | None) -> Bundle:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(pack(bundle))) as old, zipfile.ZipFile(out, "w") as new:
        for held in old.namelist():
            if held != name or raw is not None:
                new.writestr(held, raw if held == name and raw is not None else old.read(held))
    return unpack(out.getvalue(), "m@1")


@pytest.mark.parametrize("name", ["dram_power/predict.onnx", "dram_power/manifest.json", "part-2/holdout.arrow"])
def test_a_changed_file_of_a_part_is_tampering(bundle, name):
    for raw in (b"else", b"", None):
        with pytest.raises(TamperedError) as caught:
            changed(bundle, name, raw).verify()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["manifest.json", "../manifest.json", "/manifest.json", "a/b/manifest.json", "x/y.json"]
)
def test_a_part_that_lies_elsewhere_is_refused(bundle, tmp_path, name):
    told = msgspec.structs.replace(bundle.manifest, roles=bundle.manifest.roles | {"part:x": name})
    with pytest.raises(BundleError, match=r"part:x of .* names no part's manifest"):
        Bundle(told, bundle.fetch, "here").parts()


def test_a_target_is_predicted_once(bundle, tmp_path):
    main = open_directory(Path(bundle.origin).parent / "main")
    with pytest.raises(InputError, match="the bundle predicts power already: name each target once"):
        compose(tmp_path / "twice", main, {"power": main})


def test_a_bundle_of_several_is_opened_by_target(bundle):
    model = package.open(bundle.origin)
    assert model.outputs == ("power", DRAM.name, ODD.name)
    dram = model.output(DRAM.name)
    assert (dram.model.output, dram.unit, dram.version) == (DRAM.name, "W", model.version)
    assert dram.predict([CENTRE])[0] == pytest.approx(4 + WEIGHTS @ CENTRE / 10, rel=1e-5)
    assert model.predict([CENTRE])[0] == pytest.approx(40 + WEIGHTS @ CENTRE, rel=1e-5)
    a = dram.explain([CENTRE + 0.05])
    assert a.values.sum() == pytest.approx(a.prediction[0] - a.base_value, abs=1e-4)
    assert model.output() is model
    assert model.output("power") is model
    with pytest.raises(NotFound, match="does not predict 'gpu': it predicts power, dram_power, platform power"):
        model.output("gpu")


def test_the_commands_explain_one_target(bundle, tmp_path):
    write_parquet({"busy": [0.6], "ghz": [4.0], "misses": [20.0]}, tmp_path / "rows.parquet")
    words = ("explain", bundle.origin, tmp_path / "rows.parquet", "-o", tmp_path / "out.parquet")
    for more, expected in (((), 40 + 0.6 * 30 + 32 + 40), (("--target", DRAM.name), 4 + (0.6 * 30 + 32 + 40) / 10)):
        done = typed(*words, *more)
        assert done.returncode == 0, done.stderr
        assert read_table(tmp_path / "out.parquet")["prediction"].to_pylist() == [pytest.approx(expected, rel=1e-5)]
    assert "does not predict 'gpu'" in one_line(typed(*words, "--target", "gpu"))


def test_every_part_is_measured_once_where_it_is_published(tmp_path, monkeypatch):
    bundle = whole(tmp_path)
    place = Path(bundle.origin)
    raw = msgspec.structs.replace(bundle.parts()[DRAM.name].manifest, tiers={"exact": Tier()}).encode()
    files = bundle.manifest.files | {"dram_power/manifest.json": entry(raw)}
    write(place, msgspec.structs.replace(bundle.manifest, files=files), {"dram_power/manifest.json": raw})
    first = timed(place)
    part = open_directory(place).parts()[DRAM.name]
    assert part.manifest.machine
    assert part.manifest.tiers["exact"].latency_ms["1"] > 0
    assert first.manifest == open_directory(place).manifest
    open_directory(place).verify()
    monkeypatch.setattr(latency, "measure", lambda *_: pytest.fail("measured again"))
    assert timed(place).manifest.version() == first.manifest.version()


# the gate


def test_each_part_is_judged_against_productions_part(bundle, tmp_path):
    same = judge(whole(tmp_path / "same"), bundle)
    assert same.accepted
    assert set(same.numbers["parts"]) == {DRAM.name, ODD.name}
    worse = judge(whole(tmp_path / "worse", bias=4.5), bundle)
    assert not worse.accepted
    assert worse.reasons[0].startswith("dram_power: power error on its own held-out rows is worse")
    assert [r for r in worse.reasons if r.startswith("platform power (W): power error on its own held-out rows is no")]
    assert "on its own rows" in worse.numbers["parts"][DRAM.name]


def test_a_part_that_production_has_must_stay_and_a_new_one_is_judged_alone(bundle, tmp_path):
    main = open_directory(Path(bundle.origin).parent / "main")
    less = judge(main, bundle)
    assert less.reasons[:2] == [f"production predicts {t.name}, the candidate does not" for t in (DRAM, ODD)]
    assert judge(bundle, main).accepted
    noise = compose(tmp_path / "noise", main, {DRAM.name: made(tmp_path / "bad", target=DRAM, bias=90.0)})
    refused = judge(noise, main)
    assert refused.reasons[0].startswith("dram_power: no better than always answering the mean")


# labels


def test_labels_come_back_and_older_bundles_keep_their_version(bundle, tmp_path):
    plain, _ = parts()
    assert b"labels" not in plain.encode()
    labelled = made(tmp_path, labels=(("cpu", "epyc"), ("rack", "7"))).manifest
    assert labelled.labels == {"cpu": "epyc", "rack": "7"}
    assert Manifest.decode(labelled.encode()).labels == labelled.labels
    assert msgspec.structs.replace(labelled, labels={}).version() == plain.version() != labelled.version()
