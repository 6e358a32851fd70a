"""The role `terms` of a bundle: read back, explained by, and refused where it is broken."""

from __future__ import annotations

import io

import msgspec
import numpy as np
import pytest

import ascribe
from ascribe.bundle.archive import entry, open_directory, write
from ascribe.core.errors import BundleError, TamperedError
from ascribe.core.terms import Terms
from tests.serve import tiny


def with_terms(folder, arrays):
    tiny.publish(folder)
    held, out = open_directory(folder / "bundle"), io.BytesIO()
    np.savez(out, **arrays)
    files = held.contents() | {"terms.npz": out.getvalue()}
    made = msgspec.structs.replace(
        held.manifest, roles=held.manifest.roles | {"terms": "terms.npz"},
        files={name: entry(raw) for name, raw in files.items()},
    )  # fmt: skip
    write(folder / "terms", made, files)
    return folder / "terms"


def terms():
    n = len(tiny.FEATURES)
    flat = Terms(tiny.BIAS, tiny.WEIGHTS.astype(float), np.zeros(n), (np.empty(0, np.float32),) * n, (np.zeros(1),) * n)
    return flat.centred(tiny._rows())


def test_a_bundle_with_terms_explains_by_them(tmp_path):
    opened = ascribe.open(with_terms(tmp_path, terms().arrays()))
    assert "additive_terms" in opened.explainers and "terms" in opened.offers
    row = [list(tiny.ROW.values())]
    a = opened.explain(row, "additive_terms")
    assert a.values[0] == pytest.approx(tiny.WEIGHTS * (np.array(row[0]) - tiny._rows().mean(axis=0)), rel=1e-5)
    assert a.values == pytest.approx(opened.explain(row, "kernel_shap").values, rel=1e-4)
    assert a.info.gaps["efficiency_gap"] < 1e-4


@pytest.mark.parametrize("name", ["steps", "edges", "counts", "slopes"])
def test_terms_that_do_not_fit_are_refused(tmp_path, name):
    broken = terms().arrays()
    broken[name] = np.append(broken[name], 1)
    with pytest.raises(BundleError, match=r"terms of .* cannot be read"):
        ascribe.open(with_terms(tmp_path, broken))


def test_other_bytes_are_tampering(tmp_path):
    place = with_terms(tmp_path, terms().arrays())
    (place / "terms.npz").write_bytes((place / "terms.npz").read_bytes()[:-1] + b"x")
    with pytest.raises(TamperedError):
        ascribe.open(place)
