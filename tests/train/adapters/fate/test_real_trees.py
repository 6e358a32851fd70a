"""A real SecureBoost pair, imported, against answers computed by two independent programs."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.special import expit

from ascribe.core.federated import Explainer, Table, answer, with_counts, with_cover
from ascribe.core.federated import ask as asked_of
from ascribe.core.federated.fate_routes import heard, told
from ascribe.core.federated.free import interval, steps
from ascribe.core.federated.players import tree_players
from tests.core.federated.given_away import from_weights

from .real import FATE, ask, expected, labels, party, table

IDS = list(table("guest"))
MINE, THEIRS = list(table("guest").values()), list(table("host").values())


@pytest.fixture(scope="module")
def scored():
    return ask(party("secureboost", "guest"), party("secureboost", "host"), MINE, THEIRS)


def trees():
    return party("secureboost", "guest").pipeline.last[1]


def test_margins_scores_and_leaves_of_every_id(scored):
    with (FATE / "secureboost" / "expected_scores.csv").open() as file:
        wanted = {row["id"]: row for row in csv.DictReader(file)}
    assert len(wanted) == len(IDS) == 569
    leaf = scored.leaf - trees().structure.start[:-1]
    for i, name in enumerate(IDS):
        assert scored.margin[i, 0] == pytest.approx(float(wanted[name]["margin"]), abs=1e-10)
        assert scored.score[i, 0] == pytest.approx(float(wanted[name]["score"]), abs=1e-10)
        assert leaf[i].tolist() == [int(n) for n in wanted[name]["leaf_ids"].split()]
    assert not scored.code.any()


def test_the_losses_that_training_recorded_come_back(scored):
    y, leaves = labels(), trees().leaves
    for t, loss in enumerate(expected("secureboost")["losses_recorded_in_model"]):
        p = expit(leaves.value[scored.leaf[:, : t + 1], 0].sum(axis=1))
        assert -np.mean(y * np.log(p) + (1 - y) * np.log1p(-p)) == pytest.approx(loss, abs=1e-12)


def test_the_structure_is_what_was_counted():
    wanted, held = expected("secureboost")["structure"], trees().structure
    assert np.diff(held.start).tolist() == wanted["nodes_per_tree"]
    assert int(held.leaf.sum()) == wanted["leaves"]
    assert len(held.splits_of("guest:9999")) == wanted["guest_splits"]
    assert len(held.splits_of("host:10000")) == wanted["host_splits"]
    assert party("secureboost", "guest").digest == party("secureboost", "host").digest


@pytest.mark.parametrize("name", ["133", "0", "400"])
def test_the_host_replies_as_expected(name):
    host, structure = party("secureboost", "host"), trees().structure
    rows = Table.of_rows([table("host")[name]])
    reply = answer(host, asked_of(party("secureboost", "guest"), [name]), rows)
    wanted = expected("secureboost")["host_reply_data"][name]["secureboost_0"]
    assert told(structure, "host:10000", reply.parts["secureboost_0"]) == [wanted]
    back = heard(structure, "host:10000", [wanted])
    assert back.bits.tolist() == reply.parts["secureboost_0"].bits.tolist()
    assert back.known.all()


@pytest.mark.parametrize("side", ["host", "guest"])
def test_absent_features_take_default_directions(side):
    wanted = expected("secureboost")["missing_features"][f"{side}_features_absent_margin"]
    for name, margin in wanted.items():
        mine, theirs = table("guest")[name], table("host")[name]
        found = ask(
            party("secureboost", "guest"), party("secureboost", "host"),
            [mine if side == "host" else {}], [theirs if side == "guest" else {}],
        )  # fmt: skip
        assert found.margin[0, 0] == pytest.approx(margin, abs=1e-10)


@pytest.mark.parametrize(
    ("semantics", "column"),
    [("serving-2.1", "margin_eps_1e_8"), ("serving-2.0", "margin_eps_0"), ("fate-1.4", "margin_eps_0"),
     ("writer", "margin_eps_0"), ("fate-1.7", "margin_eps_1e_8")],
)  # fmt: skip
def test_ties_by_epsilon(semantics, column):
    """The file was written by 1.4.0. The ties are what tells the epsilons apart."""
    cases = expected("secureboost")["ties"]
    assert any(c["margin_eps_0"] != c["margin_eps_1e_8"] for tie in cases for c in tie["cases"])
    for tie in cases:
        for case in tie["cases"]:
            mine, theirs = dict(table("guest")[tie["id"]]), dict(table("host")[tie["id"]])
            (mine if tie["side"] == "guest" else theirs)[tie["feature"]] = case["value"]
            found = ask(
                party("secureboost", "guest", semantics), party("secureboost", "host", semantics), [mine], [theirs]
            )
            assert found.margin[0, 0] == pytest.approx(case[column], abs=1e-10)


def test_shapley_values_of_twelve_ids(scored):
    guest = with_cover(party("secureboost", "guest"), scored)
    found = Explainer(guest, {"host:10000": "HOST"})(scored)
    wanted = expected("secureboost", "expected_shapley")["ids"]
    assert len(wanted) == 12
    assert found.features[-1] == "HOST"
    for name, held in wanted.items():
        i = IDS.index(name)
        assert found.base_value == pytest.approx(held["base"], abs=1e-10)
        mine = dict(zip(found.features, found.values[i], strict=True))
        for player, value in held["shapley"].items():
            assert mine.get(player, 0.0) == pytest.approx(value, abs=1e-10), (name, player)
    assert found.values.sum(axis=1) == pytest.approx(found.prediction - found.base_value, abs=1e-12)


def test_cover_is_counted_as_training_counted_it(scored):
    guest = with_cover(party("secureboost", "guest"), scored)
    held, structure = guest.pipeline.last[1].leaves, trees().structure
    for t, counts in expected("secureboost", "expected_shapley")["leaf_counts"].items():
        for n, count in counts.items():
            assert held.cover[structure.start[int(t)] + int(n)] == count
    assert held.cover_source == "counted on 569 background rows"


def test_margin_steps_and_interval(scored):
    held = trees()
    players = tree_players(held, {"host:10000": "HOST"})
    base, values = steps(held.structure, held.leaves, players.player, len(players.names), scored.left)
    own = held.structure.owner == held.structure.parties.index("guest:9999")
    low, high = interval(held.structure, held.leaves, own, scored.left)
    for name, wanted in expected("secureboost", "expected_shapley")["ids"].items():
        i = IDS.index(name)
        assert base[0] == pytest.approx(wanted["saabas_base"], abs=1e-10)
        mine = dict(zip(players.names, values[i, 0], strict=True))
        for player, value in wanted["saabas"].items():
            assert mine.get(player, 0.0) == pytest.approx(value, abs=1e-10)
        assert [low[i, 0], high[i, 0]] == pytest.approx(wanted["interval"], abs=1e-10)


def test_the_weights_of_splits_give_the_counts_of_the_first_tree_away():
    held = trees()
    size = int(held.structure.start[1])
    found = from_weights(held.structure, held.leaves.value[:size, 0] / 0.1, 569.0, 0.1)
    wanted = expected("secureboost", "expected_shapley")["node_counts_tree0"]
    assert found[:size] == pytest.approx([wanted[str(n)] for n in range(size)], abs=1e-6)


def test_without_cover_it_says_what_to_do(scored):
    with pytest.raises(ValueError, match="no leaf counts: give background rows to be counted"):
        Explainer(party("secureboost", "guest"))(scored)


def test_counts_that_are_given_give_the_same_values(scored):
    held = expected("secureboost", "expected_shapley")["leaf_counts"]
    counts = [{int(n): c for n, c in held[str(t)].items()} for t in range(5)]
    guest = party("secureboost", "guest")
    given, found = with_counts(guest, counts), with_cover(guest, scored)
    assert Explainer(given)(scored).values.tobytes() == Explainer(found)(scored).values.tobytes()
    assert given.pipeline.last[1].leaves.cover[trees().structure.start[:-1]].tolist() == [569.0] * 5
    assert Explainer(given)(scored).info.value == "cover: counts that were given"
    for wrong in (counts[:4], [*counts, {}], [{**counts[0], 0: 1}, *counts[1:]], [{}, *counts[1:]]):
        with pytest.raises(ValueError, match="give rows for every leaf"):
            with_counts(guest, wrong)
    with pytest.raises(ValueError, match="only a guest's trees"):
        with_counts(party("secureboost", "host"), counts)


def test_the_hosts_half_holds_no_weight():
    assert party("secureboost", "host").pipeline.last[1].leaves is None
