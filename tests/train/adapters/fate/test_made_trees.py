"""Trees made by hand: every mode, every epsilon, several hosts; against a walk of one party that has everything."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.special import expit, softmax

from ascribe.core.errors import NotFound
from ascribe.core.federated import (
    Explainer,
    Party,
    Pipeline,
    Reply,
    Routes,
    Step,
    Table,
    answer,
    column_of_splits,
    score,
    tree_values,
)
from ascribe.core.federated import ask as asked_of
from ascribe.core.federated.components import BoostedTrees
from ascribe.core.federated.counterfactuals import own_changes
from ascribe.core.federated.cover import summed
from ascribe.core.federated.fate_routes import heard, told
from ascribe.core.federated.free import interval
from ascribe.core.federated.leaves import Leaves, reached
from ascribe.core.federated.splits import Splits
from ascribe.core.federated.structure import Structure
from ascribe.train.adapters.fate import SEMANTICS, read_fate
from tests.laws.brute import by_orders

from .made import (
    COLUMNS,
    GUEST,
    HOST,
    OTHER,
    Node,
    World,
    cache,
    goes_left,
    leaf_counts,
    margins,
    random_rows,
    random_tree,
    walk,
)
from .made import trees_files as files

EVERYONE = (GUEST, HOST, OTHER)
ROWS = random_rows(60, 5)


def a_world(seed: int, trees: int = 6, sites=EVERYONE, many: int = 0, **changes) -> World:
    rng = np.random.default_rng(seed)
    return World([random_tree(rng, 4, sites, many) for _ in range(trees)], **changes)


WORLDS = {
    "binary": a_world(1),
    "binary with a start": a_world(2, init=(0.25,)),
    "three classes": a_world(3, classes=3, dim=3, init=(0.1, -0.2, 0.3), labels=("a", "b", "c")),
    "regression": a_world(4, classes=0, init=(7.5,), objective="lse", labels=()),
    "regression of one class": a_world(5, classes=1, init=(-1.0,), objective="huber", labels=()),
    "tweedie": a_world(6, classes=0, init=(0.5,), objective="tweedie", labels=()),
    "many outputs in a leaf": a_world(7, classes=3, dim=1, init=(0.0,), many=3, labels=("a", "b", "c")),
    "complete secure: the first tree is the guest's": World(
        [random_tree(np.random.default_rng(8), 3, (GUEST,)), *a_world(9).trees], strategy="std"
    ),
    "layered: hosts above, guest below": World(
        [[Node(HOST, 0, 0.1, 1, 0, 1, 2), Node(OTHER, 1, -0.2, -1, 0, 3, 4), Node(GUEST, 2, 0.3, 1, 0, 5, 6),
          Node(weight=1.0), Node(weight=-0.5), Node(weight=0.25), Node(weight=2.0)]],
        strategy="layered", plan=("3_10000",),
    ),
    "one host": a_world(10, sites=(GUEST, HOST), roles={"guest": [9999], "host": [10000]}),
    "a tree that is a leaf": World([[Node(weight=0.75)], *a_world(11).trees]),
}  # fmt: skip


def halves(world: World, folder, semantics: str = "serving-2.1"):
    sites = {node.site for tree in world.trees for node in tree if not node.leaf} | {GUEST}
    return {
        party: read_fate(cache(folder / f"{party.replace(':', '-')}.json", files(world, party)),
                         party.partition(":")[0], semantics)
        for party in EVERYONE if party in sites
    }  # fmt: skip


def replies(parties, rows, ids=None):
    asked = asked_of(parties[GUEST], range(len(rows)) if ids is None else ids)
    return {p: answer(half, asked, Table.of_rows(own(rows, p))) for p, half in parties.items() if p != GUEST}


def own(rows, party):
    return [{c: v for c, v in row.items() if c in COLUMNS[party]} for row in rows]


def ask(parties, rows):
    calls = {
        p: lambda asked, half=half, p=p: answer(half, asked, Table.of_rows(own(rows, p)))
        for p, half in parties.items() if p != GUEST
    }  # fmt: skip
    return score(parties[GUEST], Table.of_rows(own(rows, GUEST)), range(len(rows)), calls)


@pytest.mark.parametrize("name", WORLDS)
def test_all_parties_together_answer_as_one(name, tmp_path):
    world = WORLDS[name]
    parties = halves(world, tmp_path)
    assert len({half.digest for half in parties.values()}) == 1
    found = ask(parties, ROWS)
    assert not found.code.any()
    for i, row in enumerate(ROWS):
        z = margins(world, row)
        assert found.margin[i].tolist() == pytest.approx(z, abs=1e-12)
        if world.classes > 2:
            assert found.score[i] == pytest.approx(softmax(z), abs=1e-12)
            assert found.label[i] == "abc"[int(np.argmax(z))]
        elif world.classes == 2:
            assert found.score[i, 0] == pytest.approx(expit(z[0]), abs=1e-12)
        else:
            assert found.score[i, 0] == pytest.approx(
                math.exp(z[0]) if world.objective == "tweedie" else z[0], rel=1e-12
            )
        starts = parties[GUEST].pipeline.last[1].structure.start[:-1]
        assert (found.leaf[i] - starts).tolist() == [walk(world, tree, row) for tree in world.trees]


@pytest.mark.parametrize("flags", [(False, False), (True, False), (True, True)], ids=["none", "missing", "zero too"])
@pytest.mark.parametrize("semantics", SEMANTICS)
def test_every_profile(semantics, flags, tmp_path):
    """Rows at, just above and well above thresholds, zero and absent, on both sides."""
    world = a_world(20, use_missing=flags[0], zero_as_missing=flags[1])
    parties = halves(world, tmp_path, semantics)
    rng, rows = np.random.default_rng(3), []
    splits = [node for tree in world.trees for node in tree if not node.leaf]
    for row in random_rows(80, 21):
        for node in rng.choice(len(splits), 4):
            step = [0.0, 5e-9, 2e-8, -5e-9][int(rng.integers(4))]
            row[COLUMNS[splits[node].site][splits[node].fid]] = splits[node].threshold + step
        row |= {c: 0.0 for c in row if rng.random() < 0.1}
        rows.append(row)
    found = ask(parties, rows)
    assert found.margin[:, 0].tolist() == pytest.approx([margins(world, row, semantics)[0] for row in rows], abs=1e-12)
    others = [s for s in SEMANTICS if s != semantics]
    assert any(margins(world, row, semantics) != margins(world, row, o) for row in rows for o in others)


@pytest.mark.parametrize("version", ["1.4.2", "1.6.1", "1.11.4"])
def test_the_writers_own_semantics(version, tmp_path):
    world = a_world(22, version=version)
    held = read_fate(cache(tmp_path / "g", files(world, GUEST)), "guest", "writer").info["semantics"]
    assert held["name"] == {"1.4.2": "fate-1.4", "1.6.1": "fate-1.5", "1.11.4": "fate-1.7"}[version]


def brute(world: World, row, k: int, player_of):
    """v(S) by both branches weighted with the file's own leaf counts, each tree by itself."""
    counts = leaf_counts(world)
    names = []
    for tree in world.trees:
        names += [player_of(node) for node in tree if not node.leaf]
    players = sorted(set(names))

    def cover(t, n):
        node = world.trees[t][n]
        return counts[t][n] if node.leaf else cover(t, node.left) + cover(t, node.right)

    def expected(t, n, inside):
        node = world.trees[t][n]
        if node.leaf:
            if node.many:
                return world.rate * node.many[k]
            return world.rate * node.weight if t % world.dim == k else 0.0
        if player_of(node) in inside:
            return expected(t, node.left if goes_left(world, node, row, "serving-2.1") else node.right, inside)
        a, b = cover(t, node.left), cover(t, node.right)
        return (a * expected(t, node.left, inside) + b * expected(t, node.right, inside)) / (a + b)

    start = (world.init * 3)[k] if len(world.init) == 1 else world.init[k]

    def v(members):
        inside = {players[i] for i in members}
        return start + sum(expected(t, 0, inside) for t in range(len(world.trees)))

    return players, v


@pytest.mark.parametrize("name", ["binary", "three classes", "regression", "many outputs in a leaf", "one host"])
def test_shapley_values_with_each_host_as_one_player(name, tmp_path):
    world = WORLDS[name]
    parties = halves(world, tmp_path)
    found = ask(parties, ROWS[:4])
    explainer = Explainer(parties[GUEST])
    for k in range(found.margin.shape[1]):
        shown = explainer(found, k)
        for i, row in enumerate(ROWS[:4]):
            players, v = brute(
                world, row, k, lambda node: COLUMNS[GUEST][node.fid] if node.site == GUEST else node.site
            )
            wanted = dict(zip(players, by_orders(v, len(players)), strict=True))
            assert shown.base_value == pytest.approx(v(frozenset()), abs=1e-9)
            mine = dict(zip(shown.features, shown.values[i], strict=True))
            assert set(wanted) <= set(mine)
            assert mine == pytest.approx({p: wanted.get(p, 0.0) for p in mine}, abs=1e-9)
        assert shown.info.gaps["efficiency_gap"] < 1e-12


def test_the_example_by_hand(tmp_path):
    """Root a host's with cover 10, below it x0 with leaves +1 (4) and -1 (2), and a leaf -0.5 (4)."""

    shape = Structure((GUEST, HOST), [0, 5], [1, 0, -1, -1, -1], [1, 3, -1, -1, -1], [2, 4, -1, -1, -1])
    cover = summed(shape, np.array([0, 0, 4, 4, 2]))
    assert cover.tolist() == [10, 6, 4, 4, 2]
    leaves = Leaves(np.array([[0], [0], [-0.5], [1], [-1]]), [0], [0.0], "logistic", cover=cover)
    half = BoostedTrees(GUEST, shape, Splits(("x0",), [0], [0.0], [False]), leaves)
    guest = Party(GUEST, Pipeline((Step("t", half),)))
    reply = Reply(HOST, guest.digest, np.zeros(1, np.uint8), {"t": Routes(np.array([[True]]))})
    found = Explainer(guest, {HOST: "HOST"})(score(guest, Table.of_rows([{"x0": 1}]), [1], {HOST: lambda _: reply}))
    assert found.prediction[0] == -1
    assert dict(zip(found.features, found.values[0], strict=True)) == pytest.approx({"HOST": 1 / 15, "x0": -16 / 15})


def test_a_deep_path_is_integrated_as_short_ones_are_tabled(tmp_path, monkeypatch):
    """The same values without any table."""

    parties = halves(WORLDS["three classes"], tmp_path)
    found = ask(parties, ROWS)
    tabled = Explainer(parties[GUEST])(found, 1).values
    monkeypatch.setattr(tree_values, "TABLED", 0)
    assert np.abs(Explainer(parties[GUEST])(found, 1).values - tabled).max() < 1e-13


def test_order_of_trees_batches_and_names_change_nothing(tmp_path):
    world = WORLDS["binary"]
    parties = halves(world, tmp_path)
    found = Explainer(parties[GUEST])(ask(parties, ROWS))
    (tmp_path / "turned").mkdir()
    turned = halves(World(world.trees[::-1], counts=True), tmp_path / "turned")
    other = Explainer(turned[GUEST])
    # counts are made up by number of tree: give the turned trees those of the first
    counts = leaf_counts(world)[::-1]

    trees = turned[GUEST].pipeline.last[1]
    flat = np.zeros(len(trees.structure.owner))
    for t, held in enumerate(counts):
        for n, c in held.items():
            flat[trees.structure.start[t] + n] = c
    object.__setattr__(trees.leaves, "cover", summed(trees.structure, flat))
    again = other(ask(turned, ROWS))
    assert again.features == found.features
    assert np.abs(again.values - found.values).max() < 1e-12
    for i in range(0, len(ROWS), 7):
        part = Explainer(parties[GUEST])(ask(parties, ROWS[i : i + 7]))
        assert np.abs(part.values - found.values[i : i + 7]).max() < 1e-14


def test_batch_and_single_are_the_same_bit_for_bit(tmp_path):
    parties = halves(WORLDS["three classes"], tmp_path)
    both = ask(parties, ROWS)
    for i in range(len(ROWS)):
        one = ask(parties, [ROWS[i]])
        assert one.margin[0].tobytes() == both.margin[i].tobytes()
        assert one.score[0].tobytes() == both.score[i].tobytes()


def test_one_party_id_on_both_sides(tmp_path):
    """Guest and host of one number, as in FATE's examples on one machine."""
    same = "host:9999"
    world = a_world(30, sites=(GUEST, HOST), roles={"guest": [9999], "host": [9999]})
    for tree in world.trees:
        for node in tree:
            node.site = same if node.site == HOST else node.site
    world.columns = {GUEST: COLUMNS[GUEST], same: COLUMNS[HOST]}
    guest = read_fate(cache(tmp_path / "g", files(world, GUEST)), "guest")
    host = read_fate(cache(tmp_path / "h", files(world, same)), "host")
    assert guest.hosts == (same,)
    rows = [{c: v for c, v in row.items() if not c.startswith("b")} for row in ROWS]
    found = score(guest, Table.of_rows(rows), range(len(rows)),
                  {same: lambda asked: answer(host, asked, Table.of_rows(rows))})  # fmt: skip
    assert found.margin[:, 0].tolist() == pytest.approx([margins(world, row)[0] for row in rows], abs=1e-12)


def test_bits_count_from_owners_only(tmp_path):
    """A host that says something of another's nodes changes nothing; one that lacks a node fails its row."""

    parties = halves(WORLDS["binary"], tmp_path)
    structure = parties[GUEST].pipeline.last[1].structure
    asked = asked_of(parties[GUEST], range(len(ROWS)))
    reply = answer(parties[HOST], asked, Table.of_rows(own(ROWS, HOST)))
    rows = told(structure, HOST, reply.parts["secureboost_0"])
    foreign = structure.splits_of(OTHER)[0]
    tree = int(structure.tree[foreign])
    rows[0][str(tree)][str(int(foreign - structure.start[tree]))] = True
    mine = structure.splits_of(HOST)[-1]
    tree = int(structure.tree[mine])
    node = str(int(mine - structure.start[tree]))
    del rows[1][str(tree)][node]
    rows[2][str(tree)][node] = "true"
    parts = {"secureboost_0": heard(structure, HOST, rows)}
    assert parts["secureboost_0"].bits[3:].tolist() == reply.parts["secureboost_0"].bits[3:].tolist()
    found = score(
        parties[GUEST], Table.of_rows(own(ROWS, GUEST)), range(len(ROWS)),
        {HOST: lambda _: Reply(HOST, parties[HOST].digest, np.zeros(len(ROWS), np.uint8), parts),
         OTHER: lambda asked: answer(parties[OTHER], asked, Table.of_rows(own(ROWS, OTHER)))},
    )  # fmt: skip
    assert found.code.tolist() == [0, 136, 136] + [0] * (len(ROWS) - 3)
    assert np.isnan(found.margin[1:3]).all()
    good = [0, *range(3, len(ROWS))]
    assert found.margin[good, 0].tolist() == pytest.approx([margins(WORLDS["binary"], ROWS[i])[0] for i in good])


def test_a_host_that_lacks_an_id_fails_that_row_with_its_own_code(tmp_path):
    parties = halves(WORLDS["binary"], tmp_path)
    there = np.ones(len(ROWS), bool)
    there[4] = False
    found = score(
        parties[GUEST], Table.of_rows(own(ROWS, GUEST)), range(len(ROWS)),
        {HOST: lambda asked: answer(parties[HOST], asked, Table.of_rows(own(ROWS, HOST)), there),
         OTHER: lambda asked: answer(parties[OTHER], asked, Table.of_rows(own(ROWS, OTHER)))},
    )  # fmt: skip
    assert found.code[4] == 2113
    assert found.reasons[4] == "host:10000 answered 113"
    assert np.flatnonzero(found.code).tolist() == [4]
    shown = Explainer(parties[GUEST])(found)
    assert shown.status[4] == "invalid"
    assert np.isnan(shown.values[4]).all()
    assert np.isfinite(shown.values[:4]).all()


def test_a_host_that_is_silent_or_holds_another_version_fails_every_row(tmp_path):
    parties = halves(WORLDS["binary"], tmp_path)
    (tmp_path / "other").mkdir()
    others = halves(a_world(1, trees=5), tmp_path / "other")
    rows = Table.of_rows(own(ROWS, GUEST))
    fine = replies(parties, ROWS)
    assert score(parties[GUEST], rows, range(60), {HOST: lambda _: fine[HOST]}).code.tolist() == [105] * 60
    wrong = fine | {OTHER: replies(others, ROWS)[OTHER]}
    calls = {p: lambda _, p=p: wrong[p] for p in (HOST, OTHER)}
    assert score(parties[GUEST], rows, range(60), calls).code.tolist() == [2104] * 60
    with pytest.raises(NotFound, match="another model than host:10000 holds"):
        answer(others[HOST], asked_of(parties[GUEST], [1]), Table.of_rows([{}]))


def test_defaults_are_counted_and_told_by_hosts_that_agreed(tmp_path):

    parties = halves(WORLDS["binary"], tmp_path)
    splits = {p: [n for t in WORLDS["binary"].trees for n in t if not n.leaf and n.site == p] for p in EVERYONE}
    parties[HOST] = replace(parties[HOST], tells_defaults=True)
    found = ask(parties, ROWS)
    for party in (GUEST, HOST):
        wanted = [sum(COLUMNS[party][n.fid] not in row for n in splits[party]) for row in ROWS]
        assert found.defaulted[party].tolist() == wanted
    assert OTHER not in found.defaulted
    parties[HOST] = replace(parties[HOST], minimum_fill=0.9)
    empty = [sum(COLUMNS[HOST][n.fid] in row for n in splits[HOST]) / len(splits[HOST]) < 0.9 for row in ROWS]
    assert (ask(parties, ROWS).code == 2131).tolist() == empty
    assert any(empty)


def test_hosts_that_agreed_play_by_column(tmp_path):

    world = WORLDS["one host"]
    parties = halves(world, tmp_path)
    with pytest.raises(ValueError, match="did not agree to tell its columns"):
        column_of_splits(parties[HOST])
    told = column_of_splits(replace(parties[HOST], shares_columns=True))["secureboost_0"]
    found = ask(parties, ROWS[:3])
    shown = Explainer(parties[GUEST], {HOST: "bank"}, {HOST: told})(found)
    for i, row in enumerate(ROWS[:3]):
        players, v = brute(
            world, row, 0,
            lambda node: COLUMNS[GUEST][node.fid] if node.site == GUEST else f"bank.{COLUMNS[HOST][node.fid]}",
        )  # fmt: skip
        wanted = dict(zip(players, by_orders(v, len(players)), strict=True))
        assert dict(zip(shown.features, shown.values[i], strict=True)) == pytest.approx(wanted, abs=1e-9)


def test_margin_steps_interval_and_own_changes(tmp_path):

    world = WORLDS["binary"]
    parties = halves(world, tmp_path)
    found = ask(parties, ROWS)
    trees = parties[GUEST].pipeline.last[1]
    mine = np.isin(np.arange(len(trees.structure.owner)), trees.structure.splits_of(GUEST))
    low, high = interval(trees.structure, trees.leaves, mine, found.left)
    assert (low <= found.margin + 1e-12).all()
    assert (found.margin <= high + 1e-12).all()
    for i in range(6):
        goal = float(np.median(found.margin))
        for change in own_changes(parties[GUEST], found, i, goal):
            moved = ROWS[i] | {change.column: change.value}
            m = margins(world, moved)[0]
            assert m == pytest.approx(change.margin, abs=1e-12)
            assert (m > goal) != (found.margin[i, 0] > goal)
        near = {c.column for c in own_changes(parties[GUEST], found, i, goal)}
        for column in set(COLUMNS[GUEST]) - near:  # no value of a grid does what the search did not find
            tried = [margins(world, ROWS[i] | {column: x})[0] > goal for x in np.linspace(-4, 4, 161)]
            assert not any(t != (found.margin[i, 0] > goal) for t in tried)


def test_the_interval_is_reached_by_free_bits(tmp_path):
    """On one tree the bound is exact: all answers of hosts, one after another."""

    world = World(WORLDS["layered: hosts above, guest below"].trees, strategy="layered")
    parties = halves(world, tmp_path)
    found, trees = ask(parties, ROWS[:5]), parties[GUEST].pipeline.last[1]
    own_nodes = np.isin(np.arange(7), trees.structure.splits_of(GUEST))
    low, high = interval(trees.structure, trees.leaves, own_nodes, found.left)
    for i in range(5):
        seen = []
        for size in range(3):
            for lefts in combinations([0, 1], size):
                left = found.left[[i]].copy()
                left[0, [0, 1]] = [n in lefts for n in (0, 1)]
                seen.append(trees.leaves.margin(reached(trees.structure, left))[0, 0])
        assert (low[i, 0], high[i, 0]) == (min(seen), max(seen))
