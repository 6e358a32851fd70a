"""Guest and host follow channels of a registry: versions are swapped while requests are answered, and a version whose
hosts do not hold their half waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from ascribe.bundle.registry import Registry
from ascribe.core.errors import InputError
from ascribe.core.federated import Ask, Reply, Table, answer
from ascribe.serve.federated import opening
from ascribe.serve.federated.guest import GuestHouse
from ascribe.serve.federated.guest import serve as serve_guest
from ascribe.serve.federated.host import follow
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.settings import Settings
from tests.train.adapters.fate import real
from tests.waiting import until

from .servers import Rows, _running, bundled
from .splits import Split, split
from .worlds import GUEST_CSV, pair

NAMES = {"guest": "loans-shop", "bank": "loans-bank"}
AT = "2026-01-0{}T00:00:00Z"


def published(registry: str, folder: Path, world: Split, party: str) -> str:
    return Registry(registry).publish(NAMES[party], bundled(world.halves[party], folder))


def promoted(registry: str, party: str, version: str, before: str | None = None) -> None:
    Registry(registry).promote(NAMES[party], version, AT.format(5), "production", [], before)


@contextmanager
def following(registry: str, world: Split, log: list[bytes], **settings: object) -> Iterator[str]:
    """The host, with the columns of this world's bank."""
    with _running(
        lambda stop, ready: follow(
            registry,
            NAMES["bank"],
            lambda half: Rows(world.of("bank")),
            "127.0.0.1:0",
            Settings(**settings),
            PartySettings(),
            stop,
            ready,
            log.append,
        )
    ) as at:
        yield at


@contextmanager
def shop(registry: str, hosts: dict[str, str], log: list[bytes], **settings: object) -> Iterator[str]:
    async def start(stop: asyncio.Event, ready: object) -> None:
        house = GuestHouse(
            None, NAMES["guest"], hosts, ["127.0.0.1"], Settings(**settings), PartySettings(), write=log.append,
            registry=registry,
        )  # fmt: skip
        await serve_guest(house, "127.0.0.1:0", "127.0.0.1:0", stop, ready)

    with _running(start) as at:
        yield at.http


class Asking(threading.Thread):
    """Asks without a pause, and keeps what it was told."""

    def __init__(self, at: str, world: Split) -> None:
        super().__init__(daemon=True)
        self.at, self.world, self.told, self.stop = at, world, [], threading.Event()

    def run(self) -> None:
        with httpx.Client(base_url=self.at) as http:
            while not self.stop.is_set():
                found = http.post("/v1/attributions", json=self.world.vectors(["r1", "r2"]))
                held = found.json()
                self.told.append((
                    found.status_code, held.get("version"),
                    [row["prediction"] for row in held.get("attributions", ())],
                ))  # fmt: skip


def test_a_version_waits_for_its_hosts_and_then_is_swapped_without_a_failure(tmp_path):
    one, two = split(1), split(2, trees=15)
    registry, log = str(tmp_path / "reg"), []
    held = {(w, p): published(registry, tmp_path / f"{w}-{p}", world, p)
            for w, world in ((1, one), (2, two)) for p in NAMES}  # fmt: skip
    for party in NAMES:
        promoted(registry, party, held[1, party])
    quick = {"poll_s": 0.1, "admin_token": "t" * 32}
    with following(registry, one, log, poll_s=0.1) as bank, shop(registry, {"bank": bank}, log, **quick) as at:
        asking = Asking(at, one)
        asking.start()
        until(lambda: len(asking.told) > 5)
        promoted(registry, "guest", held[2, "guest"], held[1, "guest"])  # too early: the bank has not moved
        with httpx.Client(base_url=at) as http:
            card = f"/v1/models/{NAMES['guest']}"
            cards: list[dict] = []  # the next look is at a version that is tried again
            until(lambda: cards.append(http.get(card).json()) or cards[-1]["rollout"]["state"] == "failed")
            told = cards[-1]
            assert told["version"] == held[1, "guest"]
            assert told["rollout"]["wanted"] == held[2, "guest"]
            assert told["rollout"]["reason"].startswith(f"version {held[2, 'guest']} waits for its hosts: host:bank")
            assert "holds another model" in told["rollout"]["reason"]
            assert told["explainers"] == ["federated_shap"]
            count = len(asking.told)
            until(lambda: len(asking.told) > count + 5)
            assert {version for _, version, _ in asking.told} == {held[1, "guest"]}

            promoted(registry, "bank", held[2, "bank"], held[1, "bank"])
            until(lambda: http.get(card).json()["version"] == held[2, "guest"])
            count = len(asking.told)
            until(lambda: len(asking.told) > count + 5)
            token = {"Authorization": f"Bearer {'t' * 32}"}
            back = http.post(f"/v1/admin/models/{NAMES['guest']}/rollback", headers=token)
            assert back.status_code == 200, back.text
            assert back.json()["version"] == held[1, "guest"]  # the bank holds the half before, too
            count = len(asking.told)
            until(lambda: len(asking.told) > count + 5)
        asking.stop.set()
        asking.join(20)
    margins = {held[1, "guest"]: one.margin[1:3], held[2, "guest"]: two.margin[1:3]}
    assert {code for code, _, _ in asking.told} == {200}
    for _, version, found in asking.told:
        np.testing.assert_allclose(found, margins[version], atol=1e-5)
    order = [version for k, (_, version, _) in enumerate(asking.told) if k == 0 or asking.told[k - 1][1] != version]
    assert order == [held[1, "guest"], held[2, "guest"], held[1, "guest"]]


def test_a_rollback_to_a_version_that_no_host_holds_any_more_is_refused(tmp_path):
    worlds = {n: split(n) for n in (1, 2, 3)}
    registry, log = str(tmp_path / "reg"), []
    held = {(n, p): published(registry, tmp_path / f"{n}-{p}", world, p) for n, world in worlds.items() for p in NAMES}
    for party in NAMES:
        promoted(registry, party, held[1, party])
    with following(registry, worlds[1], log, poll_s=0.1) as bank, shop(
        registry, {"bank": bank}, log, poll_s=0.1
    ) as at, httpx.Client(base_url=at) as http:  # fmt: skip

        def card() -> dict:
            return http.get(f"/v1/models/{NAMES['guest']}").json()

        for party in ("bank", "guest"):
            promoted(registry, party, held[2, party], held[1, party])
        until(lambda: card()["version"] == held[2, "guest"])
        promoted(registry, "bank", held[3, "bank"], held[2, "bank"])  # it holds 3 and 2 now
        until(lambda: any(held[3, "bank"].encode() in line and b'"current"' in line for line in log))
        Registry(registry).rollback(NAMES["guest"], AT.format(6))
        until(lambda: card()["rollout"]["state"] == "failed")
        assert card()["version"] == held[2, "guest"]
        assert card()["rollout"]["kept"] == held[1, "guest"]
        found = http.post("/v1/predictions", json=worlds[1].vectors(["r0"])).json()
        assert found["predictions"][0]["prediction"] == pytest.approx(worlds[2].margin[0], abs=1e-5)


def test_hosts_refuse_the_half_of_another_party_and_several_models(tmp_path):
    world, registry, log = split(1), str(tmp_path / "reg"), []
    version = Registry(registry).publish(NAMES["bank"], bundled(world.halves["guest"], tmp_path / "wrong"))
    promoted(registry, "bank", version)
    with pytest.raises(Exception, match="a host's is needed"), following(registry, world, log):
        pass
    with pytest.raises(InputError, match="a guest serves one model"):
        GuestHouse(None, "a,b", {}, ["127.0.0.1"], Settings(), PartySettings(), registry=registry)


class Near:
    """A host in this process, without a door."""

    host, by_column, columns, bound, max_rows = "host:10000", False, {}, True, 300

    async def ask(self, asked: Ask, request_id: str, limit_s: float) -> Reply:
        return answer(pair()[1], asked, Table.of_rows([real.table("host")[name] for name in asked.ids]))


def test_rows_of_a_background_are_read_and_counted_beside_the_loop(monkeypatch):
    """A version that comes with a background to count would hold up whom the one before answers."""
    at = []

    def watched(call):
        def watch(*given):
            at.append(threading.current_thread())
            return call(*given)

        return watch

    for name in ("read_rows", "settled", "with_cover"):
        monkeypatch.setattr(opening, name, watched(getattr(opening, name)))
    made = asyncio.run(opening.prepared(opening.Guest(pair()[0], [Near()], {}), PartySettings(), GUEST_CSV))
    assert made.guest.pipeline.last[1].leaves.cover_source == "counted on 569 background rows"
    assert len(at) == 4  # 569 rows are two questions
    assert threading.current_thread() not in at


def test_a_background_without_rows_is_one_line(tmp_path):
    (tmp_path / "rows.csv").write_text("id,x0\n")
    with pytest.raises(InputError, match="has no rows: there is nothing to count"):
        asyncio.run(opening.prepared(opening.Guest(pair()[0], [Near()], {}), PartySettings(), tmp_path / "rows.csv"))
