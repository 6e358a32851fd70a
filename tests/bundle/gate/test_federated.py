"""The gate of halves: on kept replies against what the whole model says, and in words where nobody can know."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from ascribe.bundle.archive import Bundle, open_directory
from ascribe.bundle.federated.half import open_party, write_party
from ascribe.bundle.federated.replies import Replies, merged, read_replies
from ascribe.bundle.gate.verdict import judge, judge_and_promote
from ascribe.bundle.registry import Registry
from ascribe.bundle.runtime import load
from ascribe.bundle.verdicts import verdicts
from ascribe.cli import app
from ascribe.core.errors import BundleError, InputError
from ascribe.core.federated.components.boosted_trees import BoostedTrees
from ascribe.core.federated.party import Party, answer, ask
from ascribe.core.federated.pipeline import Pipeline, Step
from ascribe.core.federated.table import Table
from tests.serve.federated.splits import COLUMNS, PARTIES, Split, split
from tests.train.adapters.fate import real


def kept(world: Split, rows: slice = slice(None), truth: bool = True) -> Replies:
    """What the guest of a split keeps of these rows."""
    guest, bank = world.halves["guest"], world.halves["bank"]
    ids = world.ids[rows]
    at = {name: [j for j, c in enumerate(COLUMNS) if PARTIES[c] == name] for name in ("guest", "bank")}
    theirs = Table.of_matrix(bank.inputs, world.X[rows][:, at["bank"]])
    return Replies(
        tuple(ids), world.X[rows][:, at["guest"]], {bank.name: answer(bank, ask(guest, ids), theirs)},
        world.y[rows] if truth else None,
    )  # fmt: skip


def bundle(folder: Path, party: Party, replies: Replies | None = None) -> Bundle:
    return write_party(folder, party, "2026-01-01T00:00:00Z", "0", replies)


def test_kept_replies_give_the_margins_of_the_whole_model(tmp_path):
    world = split(1)
    held = bundle(tmp_path / "g", world.halves["guest"], kept(world))
    again = read_replies(held, open_party(held))
    np.testing.assert_allclose(merged(open_party(held), again).margin[:, 0], world.margin, atol=1e-5)
    assert again.ids == tuple(world.ids)
    np.testing.assert_array_equal(again.y, world.y)
    assert read_replies(bundle(tmp_path / "bare", world.halves["guest"]), world.halves["guest"]) is None


def test_a_first_guest_is_judged_on_its_rows(tmp_path):
    world = split(1)
    verdict = judge(bundle(tmp_path / "g", world.halves["guest"], kept(world)), None)
    assert verdict.accepted, verdict.reasons
    p = 1 / (1 + np.exp(-world.margin))
    accuracy = ((p > 0.5) == (world.y > 0.5)).mean()
    loss = -np.log(np.where(world.y > 0.5, p, 1 - p)).mean()
    told = verdict.numbers["candidate"]
    assert told["accuracy"] == pytest.approx(accuracy)
    assert told["log_loss"] == pytest.approx(loss, rel=1e-5)
    assert verdict.numbers["efficiency_gap"] < 1e-9
    assert any("digest" in text for text in verdict.reasons)


def test_a_worse_guest_is_refused_and_an_equal_one_is_not(tmp_path):
    good, bad = split(1, trees=40), split(2, weight=-1.0)  # trained on another truth
    champion = bundle(tmp_path / "champion", good.halves["guest"], kept(good))
    truth = kept(good).y
    candidate = bundle(tmp_path / "bad", bad.halves["guest"], replace(kept(bad), y=truth))
    verdict = judge(candidate, champion)
    assert not verdict.accepted
    assert any("missed probability on shared held-out rows is worse" in text for text in verdict.reasons)
    told = verdict.numbers
    assert told["shared"] == 200
    expected = np.abs(1 / (1 + np.exp(-good.margin)) - 1 / (1 + np.exp(-bad.margin))).mean()
    assert told["score_difference"] == pytest.approx(expected, rel=1e-4)
    assert told["margin_correlation"] == pytest.approx(np.corrcoef(good.margin, bad.margin)[0, 1], abs=1e-4)
    again = split(1, trees=44)
    equal = judge(bundle(tmp_path / "equal", again.halves["guest"], kept(again)), champion)
    assert equal.accepted, equal.reasons
    assert equal.numbers["stability"]["rank"] > 0.5


def test_rows_are_paired_by_id_and_not_by_place(tmp_path):
    world = split(1)
    champion = bundle(tmp_path / "champion", world.halves["guest"], kept(world, slice(0, 150)))
    turned = kept(world, slice(None, None, -1))
    verdict = judge(bundle(tmp_path / "turned", world.halves["guest"], turned), champion)
    assert verdict.accepted
    assert verdict.numbers["shared"] == 150
    assert verdict.numbers["score_difference"] == 0
    assert verdict.numbers["margin_correlation"] == pytest.approx(1)
    assert verdict.numbers["stability"]["moved"] == 0
    far = Replies(tuple(f"s{i}" for i in range(200)), turned.X, turned.hosts, turned.y)
    verdict = judge(bundle(tmp_path / "far", world.halves["guest"], far), champion)
    assert verdict.numbers["shared"] == 0
    assert any("too few to compare on" in text for text in verdict.reasons)


def test_without_replies_the_verdict_says_that_nobody_knows(tmp_path):
    world = split(1)
    for party, word in (("guest", "nobody knows how good it is"), ("bank", "a host's half scores nothing")):
        verdict = judge(bundle(tmp_path / party, world.halves[party]), None)
        assert verdict.accepted
        assert any(word in text for text in verdict.reasons)
        assert any(world.halves[party].digest[:12] in text for text in verdict.reasons)
    bare = judge(bundle(tmp_path / "fate", real.party("secureboost", "guest")), None)
    assert bare.accepted
    assert any("it has no cover" in text for text in bare.reasons)
    linear = judge(bundle(tmp_path / "lr", real.party("heterolr", "guest")), None)
    assert linear.accepted
    assert any("values of made-up rows add up" in text for text in linear.reasons)
    untold = judge(bundle(tmp_path / "untold", world.halves["guest"], kept(world, truth=False)), None)
    assert any("no truth is kept" in text for text in untold.reasons)


def without_cover(guest: Party) -> Party:
    name, trees = guest.pipeline.last
    assert isinstance(trees, BoostedTrees)
    made = replace(trees, leaves=replace(trees.leaves, cover=None))
    return replace(guest, pipeline=Pipeline((Step(name, made),)))


def test_a_half_stands_in_for_the_same_half_only(tmp_path):
    world = split(1)
    champion = bundle(tmp_path / "champion", world.halves["guest"])
    cases = {
        "it is of host:bank, not of guest:guest": world.halves["bank"],
        "without the columns c": replace(world.halves["guest"], inputs=("a", "e")),
        "new columns z": replace(world.halves["guest"], inputs=("a", "c", "e", "z")),
        "it has no cover": without_cover(world.halves["guest"]),
    }
    for i, (word, party) in enumerate(cases.items()):
        verdict = judge(bundle(tmp_path / str(i), party), champion)
        assert not verdict.accepted
        assert word in verdict.reasons[0]


def test_a_guest_that_does_not_add_up_is_refused(tmp_path, monkeypatch):
    from ascribe.core.federated.tree_values import TreeValues

    honest = TreeValues.__call__
    monkeypatch.setattr(TreeValues, "__call__", lambda self, left: honest(self, left) * (1 + 1e-6))
    verdict = judge(bundle(tmp_path / "g", split(1).halves["guest"]), None)
    assert not verdict.accepted
    assert "add up to their margins" in verdict.reasons[0]


def test_promotion_of_halves_is_judged_and_kept(tmp_path):
    registry, one = Registry(str(tmp_path / "reg")), split(1)
    first = registry.publish("shop", bundle(tmp_path / "g", one.halves["guest"], kept(one)))
    assert judge_and_promote(registry, "shop", first, "2026-01-02T00:00:00Z").accepted
    bad = split(2, weight=-1.0)
    second = registry.publish("shop", bundle(tmp_path / "b", bad.halves["guest"], replace(kept(bad), y=one.y)))
    assert not judge_and_promote(registry, "shop", second, "2026-01-03T00:00:00Z").accepted
    assert registry.channel("shop", "production").current.version == first
    assert [j.accepted for j in verdicts(registry.store, "shop", second)] == [False]


def test_replies_of_another_model_or_broken_ones_are_refused(tmp_path):
    one, two = split(1), split(2)
    with pytest.raises(InputError, match="has not answered about these"):
        bundle(tmp_path / "g", one.halves["guest"], kept(two))
    held = kept(one)
    with pytest.raises(InputError, match="give each row the guest's columns"):
        bundle(tmp_path / "h", one.halves["guest"], replace(held, X=held.X[:, :1]))
    made = bundle(tmp_path / "i", one.halves["guest"], held)
    with pytest.raises(BundleError, match="keeps replies that cannot be read"):
        read_replies(made, two.halves["guest"])


def test_the_split_command_keeps_replies_for_the_gate(tmp_path):
    world = split(1)
    world.booster.save_model(tmp_path / "m.ubj")
    (tmp_path / "parties.json").write_text(json.dumps(PARTIES))
    columns = {"id": world.ids, **{c: world.X[:, j] for j, c in enumerate(COLUMNS)}, "paid": world.y}
    pa.csv.write_csv(pa.table(columns), tmp_path / "rows.csv")
    command = ["federated", "split", str(tmp_path / "m.ubj"), "--parties", str(tmp_path / "parties.json"), "--out",
               str(tmp_path / "halves"), "--holdout", str(tmp_path / "rows.csv"), "--label", "paid"]  # fmt: skip
    app([*command, "--share-columns", "bank"], standalone_mode=False)
    guest = open_directory(tmp_path / "halves" / "guest")
    held = read_replies(guest, open_party(guest))
    np.testing.assert_allclose(merged(open_party(guest), held).margin[:, 0], world.margin, atol=1e-5)
    assert judge(guest, None).numbers["rows"] == 200
    bank = open_directory(tmp_path / "halves" / "bank")
    assert not bank.has("replies")
    assert open_party(bank).shares_columns
    assert not open_party(guest).shares_columns
    for flag, value, told in (("--holdout", "none.csv", "there is no file"), ("--label", "x", "has no column x"),
                              ("--share-columns", "shop", "'shop' is no host")):  # fmt: skip
        with pytest.raises(InputError, match=told):
            app([*command, flag, value], standalone_mode=False)


def test_a_half_opens_as_no_model_and_lists_no_explainer(tmp_path, capfd):
    import ascribe

    held = bundle(tmp_path / "g", split(1).halves["guest"])
    for call in (lambda: load(held), lambda: ascribe.open(tmp_path / "g")):
        with pytest.raises(BundleError, match="one party's half of a model") as caught:
            call()
        assert "\n" not in str(caught.value)
    with pytest.raises(BundleError, match="its scores need its hosts"):
        app(["explainers", str(tmp_path / "g")], standalone_mode=False)
    assert "kernel_shap" not in capfd.readouterr().out
