"""Columns of a host play one by one where both agreed: what is told then, byte by byte, and refused otherwise."""

from __future__ import annotations

import itertools
import math
import struct
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

from ascribe.core.errors import NotFound
from ascribe.core.federated.party import Party
from ascribe.core.federated.table import Table
from ascribe.serve.federated.link import Link, Unanswered
from ascribe.serve.federated.opening import open_guest, prepared
from ascribe.serve.federated.scored import Asked, Scorer
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.wire import party_pb2 as pb
from tests.train.adapters.fate import real

from .servers import Proxy, Rows, bundled, guesting, hosting, looped, proxied
from .splits import COLUMNS, PARTIES, split

BANK = "host:bank"


def agreed(party: Party) -> Party:
    return replace(party, shares_columns=True)


def described(proxy: Proxy) -> list[pb.DescribeResponse]:
    """The answers before any id."""
    asked, told = proxy.payloads("there"), proxy.payloads("back")
    return [
        pb.DescribeResponse.FromString(back[5:]) for there, back in zip(asked, told, strict=True)
        if not pb.AnswerRequest.FromString(there[5:]).ids
    ]  # fmt: skip


def explained(
    guest: Party, host: Party, rows: Rows, ids: list[str], mine: list[dict[str, Any]], folder: Any, columns: bool
):
    """An attribution by real servers; and what passed."""
    with hosting(host, rows) as at, proxied(at) as proxy, looped() as loop:
        name = host.name.partition(":")[2]
        held = open_guest(bundled(guest, folder), {name: proxy.at}, PartySettings(), [name] if columns else [])
        for link in held.links:
            loop.run(link.bind("b", 20.0))
        explainer = loop.run(prepared(held, PartySettings(), None))
        scorer = Scorer(held.party, held.links, PartySettings(), explainer)
        found = loop.run(scorer.score(ids, Table.of_rows(mine), Asked("q1", explain=True)))
        loop.run(scorer.close())
    return found, proxy


def brute(world, x: np.ndarray) -> np.ndarray:
    """Shapley values of every column alone, of XGBoost's own path-dependent game: the library's."""
    import xgboost as xgb

    data = xgb.DMatrix(x[None], feature_names=list(COLUMNS))
    return world.booster.predict(data, pred_contribs=True)[0]


def test_columns_of_a_host_get_what_the_unsplit_model_gives_them(tmp_path):
    world, ids = split(1, depth=4), [f"r{i}" for i in range(30)]
    mine = [world.of("guest")[name] for name in ids]
    rows = Rows(world.of("bank"))
    found, proxy = explained(world.halves["guest"], agreed(world.halves["bank"]), rows, ids, mine, tmp_path / "g", True)
    a = found.explained
    names = [f"bank.{c}" if PARTIES[c] == "bank" else c for c in COLUMNS]
    for i in range(30):
        whole = brute(world, world.X[i])
        told = dict(zip(a.features, a.values[i], strict=True))
        np.testing.assert_allclose([told[name] for name in names], whole[:-1], atol=2e-5)
        assert a.base_value == pytest.approx(whole[-1], abs=1e-5)
    (told,) = described(proxy)
    (shared,) = told.columns
    splits = world.halves["bank"].pipeline.last[1].splits
    assert list(shared.columns) == [splits.columns[f] for f in splits.feature]
    together, plain = explained(world.halves["guest"], world.halves["bank"], rows, ids, mine, tmp_path / "h", False)
    assert together.explained.features[-1] == "bank"
    assert described(plain)[0].columns == []
    answers = [proxy_.payloads("back")[-1] for proxy_ in (proxy, plain)]
    assert answers[0] == answers[1]  # the bits of an answer are the same: names were told once, before


def test_bytes_that_leave_a_host_that_agreed_hold_names_and_bits_alone(tmp_path):
    """No value and no threshold, in the handshake neither."""
    world, ids = split(1), [f"r{i}" for i in range(40)]
    bank = agreed(world.halves["bank"])
    mine = [world.of("guest")[name] for name in ids]
    _, proxy = explained(world.halves["guest"], bank, Rows(world.of("bank")), ids, mine, tmp_path / "g", True)
    (told,) = described(proxy)
    assert {f.name for f, _ in told.ListFields()} == {"party", "model", "digest", "forms", "max_rows", "columns"}
    whole = b"".join(bytes(raw) for raw in proxy.back)
    numbers = {*bank.pipeline.last[1].splits.threshold.tolist(), *world.X[:, [1, 3]].ravel().tolist()}
    for number in numbers:
        for form in ("<d", ">d", "<f", ">f"):
            assert struct.pack(form, number) not in whole
        assert repr(number).encode() not in whole


def linear() -> tuple[Party, Party, dict[str, Any]]:
    case = next(c for c in real.expected("heterolr")["cases"] if c["host_features"] and c["guest_features"])
    return real.party("heterolr", "guest"), real.party("heterolr", "host"), case


def test_a_linear_host_that_agreed_sends_sums_of_its_columns_and_nothing_else(tmp_path):
    guest, host, case = linear()
    rows = Rows({"7": case["host_features"]})
    found, proxy = explained(guest, agreed(host), rows, ["7"], [case["guest_features"]], tmp_path / "g", True)
    united, plain = explained(guest, host, rows, ["7"], [case["guest_features"]], tmp_path / "h", False)
    name, component = host.pipeline.last
    label = host.name.partition(":")[2]
    told = dict(zip(found.explained.features, found.explained.values[0], strict=True))
    theirs = {f: v for f, v in told.items() if f.startswith(f"{label}.")}
    assert len(theirs) == len(component.columns)
    message = pb.AnswerResponse.FromString(proxy.payloads("back")[-1][5:])
    (part,) = message.parts
    assert part.component == name
    terms = np.frombuffer(part.linear.terms, "<f8")
    np.testing.assert_array_equal(list(theirs.values()), terms)
    assert terms.sum() + component.intercept[0] == pytest.approx(np.frombuffer(part.linear.sums, "<f8")[0], abs=1e-12)
    assert found.answer.margin[0, 0] == pytest.approx(united.answer.margin[0, 0], abs=1e-12)
    assert sum(theirs.values()) == pytest.approx(
        dict(zip(united.explained.features, united.explained.values[0], strict=True))[label] - component.intercept[0],
        abs=1e-12,
    )
    rebuilt = pb.AnswerResponse(
        party=host.name, digest=guest.digest, question=message.question, rows=1,
        parts=[pb.Part(component=name, linear=pb.Linear(
            models=1, sums=part.linear.sums, columns=component.columns, terms=terms.tobytes()))],
    )  # fmt: skip
    assert rebuilt.SerializeToString() == proxy.payloads("back")[-1][5:]
    bare = pb.AnswerResponse.FromString(plain.payloads("back")[-1][5:]).parts[0].linear
    assert {f.name for f, _ in bare.ListFields()} == {"models", "sums"}


def test_values_by_column_are_the_game_of_all_columns_by_brute_force(tmp_path):
    """2^5 coalitions of the path-dependent game, from the split halves' own arrays."""
    world, ids = split(3, trees=3, depth=3), ["r0", "r5"]
    mine = [world.of("guest")[name] for name in ids]
    found, _ = explained(
        world.halves["guest"], agreed(world.halves["bank"]), Rows(world.of("bank")), ids, mine, tmp_path / "g", True
    )
    guest = world.halves["guest"].pipeline.last[1]
    structure, leaves, left = guest.structure, guest.leaves, found.answer.left
    names, column = list(found.explained.features), {}
    for party in ("guest", "bank"):
        half = world.halves[party].pipeline.last[1]
        for node, f in zip(structure.splits_of(world.halves[party].name), half.splits.feature, strict=True):
            column[int(node)] = names.index(half.columns[f] if party == "guest" else f"bank.{half.columns[f]}")

    def value(node: int, row: int, known: frozenset[int]) -> float:
        if structure.leaf[node]:
            return float(leaves.value[node, 0])
        a, b = int(structure.left[node]), int(structure.right[node])
        if column[node] in known:
            return value(a if left[row, node] else b, row, known)
        weights = leaves.cover[[a, b]] / leaves.cover[node]
        return weights[0] * value(a, row, known) + weights[1] * value(b, row, known)

    n = len(names)
    for row in range(2):
        v = {
            frozenset(s): sum(value(int(r), row, frozenset(s)) for r in structure.start[:-1])
            for k in range(n + 1) for s in itertools.combinations(range(n), k)
        }  # fmt: skip
        for i in range(n):
            phi = sum(
                math.factorial(len(s)) * math.factorial(n - len(s) - 1) / math.factorial(n) * (v[s | {i}] - v[s])
                for s in v if i not in s
            )  # fmt: skip
            assert found.explained.values[row, i] == pytest.approx(phi, abs=1e-9)


@pytest.mark.parametrize("kind", ["trees", "linear"])
def test_a_host_that_did_not_agree_refuses_in_one_line(kind):
    if kind == "trees":
        guest, host = split(1).halves["guest"], split(1).halves["bank"]
        rows = Rows(split(1).of("bank"))
    else:
        guest, host, case = linear()
        rows = Rows({"7": case["host_features"]})
    with hosting(host, rows) as at, looped() as loop:
        link = Link(guest, host.name, at, PartySettings(), by_column=True)
        with pytest.raises(Unanswered, match="did not agree to tell its columns") as caught:
            loop.run(link.bind("b", 20.0))
        assert caught.value.code == 2129
        assert "\n" not in caught.value.text
        loop.run(link.close())
    assert rows.asked == []


def test_a_question_by_column_is_refused_though_the_handshake_was_left_out():
    """A guest that skips the handshake gets nothing by column either."""
    guest, host, case = linear()
    rows = Rows({"7": case["host_features"]})
    with hosting(host, rows) as at, looped() as loop:
        link = Link(guest, host.name, at, PartySettings(), by_column=True)
        link._form = "bitmap"  # as if it had agreed
        scorer = Scorer(guest, [link], PartySettings(), None)
        found = loop.run(scorer.score(["7"], Table.of_rows([case["guest_features"]]), Asked("q1")))
        loop.run(scorer.close())
    assert found.answer.code.tolist() == [2129]
    assert rows.asked == []


@pytest.mark.parametrize(("said", "setting", "tells"), [(True, None, True), (True, False, False), (False, True, True)])
def test_the_hosts_own_setting_stands_over_its_bundle(said, setting, tells):
    world = split(1)
    bank = replace(world.halves["bank"], shares_columns=said)
    with hosting(bank, Rows({}), PartySettings(share_columns=setting)) as at, looped() as loop:
        link = Link(world.halves["guest"], BANK, at, PartySettings(), by_column=True)
        if tells:
            loop.run(link.bind("b", 20.0))
            assert len(link.columns["trees"]) == len(bank.pipeline.last[1].splits)
        else:
            with pytest.raises(Unanswered, match="did not agree"):
                loop.run(link.bind("b", 20.0))
        loop.run(link.close())


def test_the_guests_server_shows_columns_and_groups_by_all_of_them(tmp_path):
    world = split(1)
    bundle = bundled(world.halves["guest"], tmp_path / "guest")
    with (
        hosting(agreed(world.halves["bank"]), Rows(world.of("bank"))) as host,
        guesting(bundle, {"bank": host}, by_column=["bank"]) as at,
        guesting(bundle, {"bank": host}, by_column=["bank"], parties=PartySettings(minimum_group=3)) as careful,
    ):
        asked = world.vectors(world.ids[:100])
        found = httpx.post(at.http + "/v1/attributions", json=asked).json()
        few = httpx.post(careful.http + "/v1/attributions", json=asked).json()
    assert found["features"] == ["a", "c", "e", "bank.b", "bank.d"] or set(found["features"]) >= {"bank.b", "bank.d"}
    shown = [row["attribution_shares"] for row in few["attributions"] if row["status"] == "ok"]
    pairs = [(round(row["bank.b"], 9), round(row["bank.d"], 9)) for row in shown]
    assert all(pairs.count(pair) >= 3 for pair in pairs)
    assert len(shown) < 100


def test_a_host_by_column_must_be_one_of_the_model(tmp_path):
    bundle = bundled(split(1).halves["guest"], tmp_path / "g")
    with pytest.raises(NotFound, match="no host 'host:shop'"):
        open_guest(bundle, {"bank": "127.0.0.1:1"}, PartySettings(), ["host:shop"])
