"""Records, bits and bytes; a federated model as capabilities."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ascribe.core.errors import CapabilityError, InputError, NotFound
from ascribe.core.explainers import EXPLAINERS, available, explain
from ascribe.core.federated import (
    Ask,
    Explainer,
    Party,
    Pipeline,
    Reply,
    Routes,
    Step,
    Table,
    answer,
    as_model,
    ask,
    local,
    merge,
    pack,
    score,
    unpack,
)
from ascribe.core.federated.components import BoostedTrees, LinearModel, Passing
from ascribe.core.federated.leaves import Leaves
from ascribe.core.federated.publishing import few_alike
from ascribe.core.federated.records import Linear
from ascribe.core.federated.splits import Splits
from ascribe.core.federated.structure import Structure
from ascribe.core.federated.table import Context
from ascribe.core.model import CAPABILITIES

PARTIES = ("guest:1", "host:2")
START, OWNER = np.array([0, 5]), np.array([1, 0, -1, -1, -1])
LEFT, RIGHT = np.array([1, 3, -1, -1, -1]), np.array([2, 4, -1, -1, -1])
SHAPE = Structure(PARTIES, START, OWNER, LEFT, RIGHT)
VALUE, COVER = np.array([[0], [0], [-0.5], [1], [-1]]), np.array([10.0, 6, 4, 4, 2])
LEAVES = Leaves(VALUE, np.array([0]), np.array([0.0]), "logistic", cover=COVER)
MINE, THEIRS = (Splits((name,), np.array([0]), np.array([0.0]), np.array([False])) for name in "xz")
GUEST = Party("guest:1", Pipeline((Step("t", BoostedTrees("guest:1", SHAPE, MINE, LEAVES)),)), "m", ("x",))
HOST = Party("host:2", Pipeline((Step("t", BoostedTrees("host:2", SHAPE, THEIRS)),)), "m", ("z",))
ROWS = {"1": -1.0, "2": 1.0, "3": -1.0}


class Counting:
    """A host that counts how often it is asked, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Ask] = []

    def __call__(self, asked: Ask) -> Reply:
        self.asked.append(asked)
        return answer(HOST, asked, Table.of_rows([{"z": ROWS[i]} for i in asked.ids]))


@given(st.integers(0, 40), st.integers(0, 9), st.integers(0, 2**31))
def test_bits_survive_their_bytes(k, rows, seed):
    bits = np.random.default_rng(seed).random((rows, k)) < 0.5
    raw = pack(bits)
    assert raw.shape == (rows, -(-k // 8))
    assert unpack(raw, k).tolist() == bits.tolist()


def test_bytes_of_another_length_or_with_bits_behind_are_refused():
    raw = pack(np.ones((2, 9), bool))
    for k in (8, 17):
        with pytest.raises(InputError, match="another length"):
            unpack(raw, k)
    raw[0, 1] |= 128
    with pytest.raises(InputError, match="behind the last"):
        unpack(raw, 9)


def test_one_exchange_and_nothing_but_ids_to_the_host():
    host = Counting()
    found = score(GUEST, Table.of_rows([{"x": 3.25}, {"x": -3.25}, {}]), ["1", "2", "3"], {"2": host})
    assert found.margin[:, 0].tolist() == [-1.0, -0.5, -1.0]
    assert len(host.asked) == 1
    assert vars(host.asked[0]) == {"model": "m", "digest": GUEST.digest, "ids": ("1", "2", "3"), "columns": False}
    assert "3.25" not in repr(host.asked[0])


def test_a_reply_holds_codes_and_bits_alone():
    reply = answer(HOST, ask(GUEST, ["1", "2"]), Table.of_rows([{"z": -1.0}, {"z": "none"}]))
    assert {f.name for f in fields(reply)} == {"party", "digest", "code", "parts", "defaulted"}
    assert reply.code.tolist() == [0, 102]
    assert reply.code.dtype == np.uint8
    assert reply.defaulted is None
    assert isinstance(reply.parts["t"], Routes)
    assert reply.parts["t"].bits.tolist() == [[True], [False]]  # nothing of the row that failed


def test_the_same_local_half_merges_again_with_other_replies():
    held = local(GUEST, Table.of_rows([{"x": 1.0}]))
    bits = {
        b: Reply("host:2", GUEST.digest, np.zeros(1, np.uint8), {"t": Routes(np.array([[b]]))}) for b in (True, False)
    }
    assert merge(GUEST, held, {}).code.tolist() == [105]
    assert [merge(GUEST, held, {"host:2": bits[b]}).margin[0, 0] for b in (True, False)] == [-1.0, -0.5]


def test_names_of_hosts():
    assert GUEST.host_named("2") == GUEST.host_named("host:2") == "host:2"
    with pytest.raises(NotFound, match="no host '3': this model asks host:2"):
        GUEST.host_named("3")


def test_a_federated_model_offers_no_explainer_of_the_table():
    """They would ask hosts for rows that nobody has: thousands of times, or once."""
    host = Counting()
    model = as_model(GUEST, {"2": host})
    assert model.offers == {"remote_predict", "routes"}
    assert {"remote_predict", "routes"} <= set(CAPABILITIES)
    assert len(EXPLAINERS) >= 6
    assert available(model) == ()
    for name, explainer in EXPLAINERS.items():
        assert not explainer.needs & model.offers, name
        with pytest.raises(CapabilityError, match="it can be asked for: none"):
            explain(model, np.zeros((2, 1)), name)
    assert host.asked == []
    replies = model.routes(["1", "2"])
    assert model.remote_predict(np.array([[1.0], [np.nan]]), replies).tolist() == [-1.0, -0.5]
    assert model.remote_predict(np.array([[-1.0], [1.0]]), replies).tolist() == [1.0, -0.5]
    assert len(host.asked) == 1


def test_pipelines_that_are_none():
    trees = GUEST.pipeline.steps[0].component
    for steps, text in (
        ((), "no component of the pipeline gives a score"),
        ((Step("a", Passing("Reader")),), "no component of the pipeline gives a score"),
        ((Step("a", Passing("Reader")), Step("a", trees)), "two components are called 'a'"),
        ((Step("a", trees, "zz"),), "fed by 'zz'"),
        ((Step("a", trees), Step("b", trees, "a")), "takes the scores of 'a'"),
    ):
        with pytest.raises(InputError, match=text):
            Pipeline(steps)


def test_a_hosts_half_does_not_merge():
    held = HOST.pipeline.local_inference(Context("host:2", 1), Table.of_rows([{}]))
    with pytest.raises(InputError, match="only the guest merges"):
        HOST.pipeline.merge_remote_inference(Context("host:2", 1), held, {})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"left": [1, 3, -1, -1, 4]}, "one child"), ({"owner": [1, -1, -1, -1, -1]}, "owners"),
        ({"owner": [7, 0, -1, -1, -1]}, "none of the parties"), ({"left": [1, 2, -1, -1, -1]}, "exactly one node"),
        ({"right": [2, 9, -1, -1, -1]}, "in the same tree"), ({"start": [0, 4]}, "must rise"),
        ({"parties": ("a", "a")}, "twice"), ({"left": [1, 0, -1, -1, -1]}, "in the same tree"),
    ],
)  # fmt: skip
def test_structures_that_are_no_trees(changes, text):
    held = {name: getattr(SHAPE, name) for name in ("parties", "start", "owner", "left", "right")}
    held |= {name: tuple(v) if name == "parties" else np.array(v) for name, v in changes.items()}
    with pytest.raises(InputError, match=text):
        Structure(**held)


def test_the_digest_sees_owners_and_children():
    held = {name: getattr(SHAPE, name) for name in ("parties", "start", "owner", "left", "right")}
    other = [{"owner": [0, 1, -1, -1, -1]}, {"left": [2, 3, -1, -1, -1], "right": [1, 4, -1, -1, -1]},
             {"parties": ("guest:1", "host:3")}]  # fmt: skip
    changed = [held | {k: v if k == "parties" else np.array(v) for k, v in c.items()} for c in [{}, *other]]
    assert len({Structure(**c).digest for c in changed}) == 4
    turned = Structure(PARTIES[::-1], START, np.array([0, 1, -1, -1, -1]), LEFT, RIGHT)
    assert turned.digest == SHAPE.digest


@example(["\u0661", "1_0", "0x1", "1e", "1.5", None])
@given(st.lists(st.one_of(
    st.none(), st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.text(max_size=4),
    st.sampled_from(["1.5", " 2 ", "1e3", "-.5", "5.", "1_0", "\u0661", "nan", "Infinity", "", "0x1", "1e", "+1"]),
), max_size=8))  # fmt: skip
def test_numbers_are_read_one_by_one_as_together(values):
    """A column's texts and numbers: what a value becomes does not depend on the others, and only plain numbers pass."""
    context = Context("guest:1", len(values))
    found = Table.of_rows([{"x": v} for v in values]).numbers("x", context) if values else np.zeros(0)
    for i, value in enumerate(values):
        alone = Context("guest:1", 1)
        one = Table.of_rows([{"x": value}]).numbers("x", alone)
        assert one[:1].tobytes() == found[i : i + 1].tobytes()
        assert alone.code[0] == context.code[i]
        if value in ("1_0", "\u0661", "0x1", "1e"):
            assert context.code[i] == 102
        if value in ("1.5", " 2 ", "1e3", "-.5", "5.", "+1"):
            assert found[i] == float(value)
        if value in (None, "", "nan"):
            assert np.isnan(found[i])
            assert context.code[i] == 0


def test_no_rows_are_answered_with_none():
    found = score(GUEST, Table.of_rows([]), [], {"2": Counting()})
    assert found.margin.shape == (0, 1)
    assert Explainer(GUEST)(found).values.shape == (0, 2)


LINEAR = ("guest:1", "host:2", "host:3")


def of_a_linear(party: str, column: str) -> Party:
    component = LinearModel(party, LINEAR, (column,), np.array([[2.0]]), np.zeros(1))
    return Party(party, Pipeline((Step("lr", component),)), "m", (column,))


def test_a_linear_model_without_one_of_its_hosts_has_no_values_and_is_no_fault():
    """The rows say which host is missing; whoever explains them gets NaN, as for trees."""
    guest, host = of_a_linear("guest:1", "x"), of_a_linear("host:2", "y")
    rows = Table.of_rows([{"x": 1.0}, {"x": 2.0}])
    found = merge(
        guest, local(guest, rows), {"host:2": answer(host, ask(guest, "ab"), Table.of_rows([{"y": 1}, {"y": 2}]))}
    )
    assert found.code.tolist() == [105, 105]
    explained = Explainer(guest)(found)
    assert explained.features == ("x", "host:2", "host:3")
    assert np.isnan(explained.values).all()
    assert explained.status.tolist() == ["invalid", "invalid"]
    assert explained.reasons[0] == "host:3 has not answered (105)"


def test_rows_of_a_linear_model_are_alike_where_all_hosts_told_the_same_parts():
    """Rows 0 and 1; row 2 is like row 3 to one host, and like row 4 to the other."""
    guest = of_a_linear("guest:1", "x")
    parts = {"host:2": [1.0, 1.0, 2.0, 2.0, 3.0], "host:3": [5.0, 5.0, 6.0, 7.0, 6.0]}
    replies = {
        host: Reply(host, guest.digest, np.zeros(5, np.uint8), {"lr": Linear(np.array(sums)[:, None])})
        for host, sums in parts.items()
    }
    found = merge(guest, local(guest, Table.of_rows([{"x": 1.0}] * 5)), replies)
    assert few_alike(guest, found, 2).tolist() == [False, False, True, True, True]
    assert few_alike(guest, found, 1).tolist() == [False] * 5


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_parts_of_columns_that_are_not_finite_fail_their_row(wrong):
    guest = of_a_linear("guest:1", "x")
    terms = np.array([[[wrong]], [[1.0]]])
    replies = {
        host: Reply(host, guest.digest, np.zeros(2, np.uint8), {"lr": Linear(np.ones((2, 1)), terms, ("y",))})
        for host in guest.hosts
    }
    found = merge(guest, local(guest, Table.of_rows([{"x": 1.0}] * 2)), replies)
    assert found.code.tolist() == [136, 0]
    assert np.isfinite(Explainer(guest)(found).values[1]).all()


@pytest.mark.parametrize("value", ["inf", "-inf", 1.7e308])
def test_a_guests_own_linear_part_that_is_not_finite_fails_its_row(value):
    """It was an answer of infinity, or of nothing where two infinities met."""
    guest = of_a_linear("guest:1", "x")
    replies = {
        host: Reply(host, guest.digest, np.zeros(2, np.uint8), {"lr": Linear(np.ones((2, 1)))}) for host in guest.hosts
    }
    found = merge(guest, local(guest, Table.of_rows([{"x": value}, {"x": 1}])), replies)
    assert found.code.tolist() == [102, 0]
    assert found.margin[1, 0] == 4.0
