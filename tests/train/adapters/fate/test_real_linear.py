"""A real HeteroLR pair: seven cases, every weight of both sides in one of them."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.federated import Explainer

from .real import FATE, ask, expected, party

CASES = expected("heterolr")["cases"]


def rows_of(case: dict) -> tuple[dict, dict]:
    mine, theirs = case["guest_features"], case["host_features"]
    if isinstance(mine, str):  # as its formula says
        mine = {f"x{k}": ((k * 37) % 21 - 10) / 10 for k in range(300)}
        theirs = {f"x{k}": ((k * 53) % 19 - 9) / 10 for k in range(300, 1300)}
    return mine, theirs


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_each_case_alone(case):
    mine, theirs = rows_of(case)
    found = ask(party("heterolr", "guest"), party("heterolr", "host"), [mine], [theirs])
    assert found.score[0, 0] == pytest.approx(case["score"], abs=1e-12)
    assert found.sums["guest:9999"][0, 0] == pytest.approx(case["guest_linear"], abs=1e-12)
    assert found.sums["host:10000"][0, 0] == pytest.approx(case["host_linear"], abs=1e-12)


def test_all_cases_at_once_are_the_same_bit_for_bit():
    pairs = [rows_of(case) for case in CASES]
    mine, theirs = [p[0] for p in pairs], [p[1] for p in pairs]
    both = ask(party("heterolr", "guest"), party("heterolr", "host"), mine, theirs)
    for i in range(len(pairs)):
        one = ask(party("heterolr", "guest"), party("heterolr", "host"), [mine[i]], [theirs[i]])
        assert one.score[0].tobytes() == both.score[i].tobytes()


def test_the_examples_host_row_is_the_one_of_the_first_case():
    text = (FATE / "heterolr" / "host_data.csv").read_text().strip()
    assert dict(pair.split(":") for pair in text.split(",")) == CASES[0]["host_features"]


def test_values_are_parts_less_references():
    mine, theirs = rows_of(CASES[5])
    guest = party("heterolr", "guest")
    answered = ask(guest, party("heterolr", "host"), [mine], [theirs])
    found = Explainer(guest, {"host:10000": "HOST"}, references={"host:10000": np.array([0.5])})(answered)
    assert found.features == (*guest.pipeline.last[1].columns, "HOST")
    assert found.values[0, -1] == pytest.approx(CASES[5]["host_linear"] - 0.5, abs=1e-12)
    assert found.base_value == pytest.approx(-0.09251526464632587 + 0.5, abs=1e-12)
    assert found.values.sum() == pytest.approx(found.prediction[0] - found.base_value, abs=1e-12)
    weight = dict(zip(guest.pipeline.last[1].columns, guest.pipeline.last[1].weight[:, 0], strict=True))
    assert found.values[0, found.features.index("x7")] == pytest.approx(weight["x7"] * mine["x7"], abs=1e-15)
