"""torch: an exported program, a state dict with its factory, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ascribe.core.errors import AscribeError, InputError
from tests.train.adapters import nets
from tests.train.adapters.adopting import NUMBERS, PRICE, adopted, background, houses, near

MADE = "tests.train.adapters.nets"
ROWS = {0: torch.export.Dim("rows")}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    place = tmp_path_factory.mktemp("torch")
    torch.manual_seed(0)
    network, rows = nets.mlp(), houses().drop_nulls()
    X = torch.tensor(rows.select(NUMBERS).to_numpy(), dtype=torch.float32)
    network.train()(X)  # statistics of the batch norm
    network.eval()
    torch.export.save(torch.export.export(network, (X[:3],), dynamic_shapes=(ROWS,)), place / "free.pt2")
    torch.export.save(torch.export.export(network, (X[:3],)), place / "fixed.pt2")
    torch.save(network.state_dict(), place / "state.pt")
    torch.save({"state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, place / "parallel.th")
    torch.save(network, place / "whole.pt")
    (place / "half.pt2").write_bytes((place / "free.pt2").read_bytes()[:3000])
    (place / "half.pt").write_bytes((place / "state.pt").read_bytes()[:500])
    with torch.no_grad():
        wanted = network(X).numpy()[:, 0]
    return place, background(rows, place), rows, wanted


def test_an_exported_program(saved, tmp_path):
    place, rows, frame, wanted = saved
    opened = adopted(place / "free.pt2", rows, tmp_path / "b", target=PRICE)
    assert near(opened.predict(frame), wanted)
    assert "gradient" in opened.offers
    x = opened.rows(frame.head(3))
    f, slope = opened.model.gradient.slope(x, x)
    assert near(f, wanted[:3])
    step = np.eye(8)[7] * 0.01
    assert np.allclose((opened.predict(x + step) - opened.predict(x - step)) / 0.02, slope[:, 7], rtol=0.05, atol=1e-3)


@pytest.mark.parametrize("name", ["state.pt", "parallel.th"])
def test_a_state_dict_and_its_factory(name, saved, tmp_path, monkeypatch):
    monkeypatch.setattr("ascribe.train.adopted.adopt.insides", lambda *given: ({}, ()))
    place, rows, frame, wanted = saved
    opened = adopted(place / name, rows, tmp_path / "b", target=PRICE, module=f"{MADE}:mlp")
    assert near(opened.predict(frame), wanted)
    assert "only holds its weights" in opened.bundle.manifest.origin["warnings"][-1]


@pytest.mark.parametrize(
    ("name", "module", "text"),
    [
        ("fixed.pt2", "", "takes exactly 3 rows: export it with dynamic_shapes"),
        ("half.pt2", "", "is not whole"),
        ("state.pt", "", "without their network"),
        ("half.pt", f"{MADE}:mlp", "not whole"),
        ("whole.pt", f"{MADE}:mlp", "holds more than weights"),
        ("state.pt", f"{MADE}:other", "is of another network"),
        ("state.pt", f"{MADE}:nobody", "makes no network"),
        ("state.pt", f"{MADE}:NO_NETWORK", "gives dict, no torch.nn.Module"),
        ("state.pt", "mlp", "package.module:factory"),
    ],
)
def test_what_is_refused_is_one_line(name, module, text, saved, tmp_path):
    place, rows, *_ = saved
    with pytest.raises(AscribeError, match=text) as told:
        adopted(place / name, rows, tmp_path / "b", target=PRICE, module=module)
    assert "\n" not in str(told.value)
    assert isinstance(told.value, InputError)
