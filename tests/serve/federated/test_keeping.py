"""Replies of real hosts kept for the gate, and the commands of a registry's channel in processes of their own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace

import httpx
import numpy as np
import pytest

from ascribe.bundle.archive import open_directory
from ascribe.bundle.federated.half import open_party
from ascribe.bundle.federated.replies import merged, read_replies
from ascribe.bundle.gate.verdict import judge
from ascribe.cli import app
from ascribe.core.errors import InputError
from ascribe.core.federated import Ask, Reply, Table, answer
from ascribe.serve.federated.keeping import kept
from ascribe.serve.federated.opening import Guest
from ascribe.serve.federated.settings import PartySettings
from tests.train.adapters.fate import real

from .servers import Rows, bundled, hosting, proxied
from .splits import split
from .test_gathering import asks
from .test_walk import place, server
from .worlds import GUEST_CSV, ids, pair, scores


def test_the_real_pair_is_judged_on_what_its_host_answered(tmp_path, monkeypatch):
    bundled(pair()[0], tmp_path / "guest")
    command = ["federated", "holdout", "--guest", str(tmp_path / "guest"), "--features", str(GUEST_CSV), "--label", "y",
               "--out", str(tmp_path / "kept")]  # fmt: skip
    with hosting(pair()[1], Rows(real.table("host"))) as at, proxied(at) as proxy:
        app([*command, "--host", f"bank={proxy.at}"], standalone_mode=False)
        assert asks(proxy) == [569]
    bundle = open_directory(tmp_path / "kept")
    held = read_replies(bundle, open_party(bundle))
    np.testing.assert_allclose(
        merged(open_party(bundle), held).margin[:, 0], [scores()[name][0] for name in ids()], atol=1e-9
    )
    verdict = judge(bundle, None)
    assert verdict.accepted
    p = np.array([scores()[name][1] for name in ids()])
    assert verdict.numbers["candidate"]["accuracy"] == pytest.approx(((p > 0.5) == real.labels()).mean())
    monkeypatch.setenv("ASCRIBE_PARTY_CONNECT_S", "0.3")
    with pytest.raises(InputError, match=r"the rows have no answer: host:10000 at .* cannot be reached"):
        app([*command, "--host", "bank=127.0.0.1:1"], standalone_mode=False)


class Answering:
    """A host in this process; rows of the ids `gaps` lack a split, as a text form may."""

    host, by_column, columns, bound, max_rows = "host:10000", False, {}, False, 4096

    def __init__(self, takes: int = 4096, gaps: Sequence[str] = ()) -> None:
        self.takes, self.gaps, self.asked = takes, gaps, []

    async def bind(self, request_id: str, limit_s: float) -> None:
        self.bound, self.max_rows = True, self.takes

    async def ask(self, asked: Ask, request_id: str, limit_s: float) -> Reply:
        assert len(asked.ids) <= self.takes
        self.asked.append(len(asked.ids))
        reply = answer(pair()[1], asked, Table.of_rows([real.table("host")[name] for name in asked.ids]))
        known = np.array([name not in self.gaps for name in asked.ids])
        return replace(reply, parts={name: replace(part, known=known) for name, part in reply.parts.items()})

    async def close(self) -> None:
        pass


def test_a_host_is_asked_for_as_many_rows_as_it_takes(tmp_path):
    link = Answering(takes=200)
    asyncio.run(kept(Guest(pair()[0], [link], {}), GUEST_CSV, "y", PartySettings()))
    assert link.asked == [200, 200, 169]


def test_a_row_whose_answer_has_a_gap_is_kept_as_one_without_an_answer():
    link = Answering(gaps=("133", "273"))
    held = asyncio.run(kept(Guest(pair()[0], [link], {}), GUEST_CSV, "y", PartySettings()))
    found = merged(pair()[0], held)
    assert [held.ids[i] for i in np.flatnonzero(found.code)] == [n for n in held.ids if n in link.gaps]
    assert set(found.code.tolist()) == {0, 2136}


@pytest.mark.parametrize("classes", [(-1, 1), (1, 2), (0, 0.5)])
def test_a_truth_that_is_no_class_is_refused_before_anybody_is_asked(classes, tmp_path):
    path, link = tmp_path / "rows.csv", Answering()
    rows = [["id", *pair()[0].inputs, "y"]]
    rows += [[n, *real.table("guest")[n].values(), classes[i % 2]] for i, n in enumerate(ids()[:4])]
    path.write_text("\n".join(",".join(map(str, row)) for row in rows))
    with pytest.raises(InputError, match="write the 2 classes as 0 to 1"):
        asyncio.run(kept(Guest(pair()[0], [link], {}), path, "y", PartySettings()))
    assert link.asked == []


def test_halves_of_a_registry_are_published_promoted_and_served_by_commands(tmp_path, capfd):
    world, registry = split(1), str(tmp_path / "reg")
    for party in ("guest", "bank"):
        bundled(world.halves[party], tmp_path / party)
        app(["publish", str(tmp_path / party), "--registry", registry, "--name", party], standalone_mode=False)
        version = capfd.readouterr().out.split()[-1]
        app(["promote", party, version, "--registry", registry], standalone_mode=False)
        assert "nobody knows" in (told := capfd.readouterr().err) or "scores nothing" in told
    rows = ["id,b,d", *(f"{name},{row['b']!r},{row['d']!r}" for name, row in world.of("bank").items())]
    (tmp_path / "bank.csv").write_text("\n".join(rows) + "\n")
    start = [sys.executable, "-m", "ascribe", "federated"]
    host = [*start, "host", "--registry", registry, "--model", "bank", "--features", "bank.csv", "--listen"]
    with server([*host, "127.0.0.1:0"], tmp_path) as bank:
        guest = [*start, "guest", "--registry", registry, "--model", "guest@production", "--host"]
        doors = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
        with server([*guest, f"bank={place(bank)}", *doors], tmp_path) as shop:
            at = place(shop, "http")
            found = httpx.post(at + "/v1/attributions", json=world.vectors(["r3"])).json()
            card = httpx.get(at + "/v1/models/guest").json()
    (told,) = found["attributions"]
    assert told["prediction"] == pytest.approx(world.margin[3], abs=1e-5)
    assert told["base_value"] + sum(told["attribution_shares"].values()) == pytest.approx(told["prediction"], abs=1e-9)
    assert (card["rollout"]["state"], card["channel"], card["version"]) == ("current", "production", found["version"])
    assert not {"kernel_shap", "conditional_shap"} & set(card["explainers"])


@pytest.mark.parametrize("command", ["host", "guest"])
@pytest.mark.parametrize("where", [[], ["--registry", "r"], ["--bundle", "b", "--registry", "r", "--model", "m"]])
def test_a_half_is_in_one_place(command, where):
    own = ["--features", "f.csv"] if command == "host" else ["--host", "a=127.0.0.1:1"]
    with pytest.raises(InputError, match="where is the half"):
        app(["federated", command, *own, *where], standalone_mode=False)
