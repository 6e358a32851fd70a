"""Between parties nobody is anonymous: who shows no known certificate hears nothing, on either side."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from ascribe.core.errors import ServiceError
from ascribe.serve.federated.link import Link
from ascribe.serve.federated.scored import Asked, Scored, Scorer
from ascribe.serve.federated.settings import PartySettings
from tests.serve.paper import LOCAL, Authority, Pair
from tests.train.adapters.fate import real

from .servers import Rows, hosting, looped
from .worlds import BANK, mine, pair, scores


class Papers:
    """The host's authority, the guests' authority, and one that nobody trusts."""

    def __init__(self, folder: Path) -> None:
        self.hosts, self.guests, self.others = (Authority(folder, n) for n in ("hosts", "guests", "others"))
        self.host = self.hosts.issue("host", "bank", LOCAL)
        self.elsewhere = self.hosts.issue("elsewhere", "bank", (LOCAL[0].__class__("bank.example"),))
        self.shop = self.guests.issue("shop", "shop")
        self.rival = self.guests.issue("rival", "rival")
        self.stranger = self.others.issue("stranger", "shop")
        self.expired = self.guests.issue("expired", "shop", until=timedelta(hours=-1))


@pytest.fixture(scope="module")
def papers(tmp_path_factory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def at(papers):
    """A host that answers `shop` alone, and its log."""
    log: list[bytes] = []
    with hosting(
        pair()[1], Rows(real.table("host")), PartySettings(guests="shop, other"), log, tls_cert=papers.host.cert,
        tls_key=papers.host.key, client_ca=papers.guests.pair.cert,
    ) as where:  # fmt: skip
        yield where, log


def asked(at: str, ca: Path | None, own: Pair | None, **patience: float) -> Scored:
    parties = PartySettings(ca=ca, cert=own.cert if own else None, key=own.key if own else None, **patience)
    guest, _ = pair()
    with looped() as loop:
        scorer = Scorer(guest, [Link(guest, BANK, at, parties)], parties, None)
        found = loop.run(scorer.score(["133"], mine(["133"]), Asked("q1")))
        loop.run(scorer.close())
    return found


def test_a_known_guest_is_answered_and_named_in_the_log(at, papers):
    where, log = at
    found = asked(where, papers.hosts.pair.cert, papers.shop)
    assert found.answer.margin[0, 0] == pytest.approx(scores()["133"][0], abs=1e-9)
    lines = [json.loads(line) for line in log]
    assert [line["caller"] for line in lines if line.get("verb") == "answer"][-1] == "shop"
    assert next(line for line in lines if line["event"] == "ready")["mutual_tls"] is True


@pytest.mark.parametrize("who", ["nobody", "stranger", "expired", "in clear"])
def test_whoever_shows_no_good_certificate_does_not_even_connect(at, papers, who):
    where, log = at
    before = sum(b'"answer"' in line for line in log)
    own = {"stranger": papers.stranger, "expired": papers.expired}.get(who)
    found = asked(where, None if who == "in clear" else papers.hosts.pair.cert, own, connect_s=1.0)
    assert found.answer.code.tolist() == [105]
    assert sum(b'"answer"' in line for line in log) == before


def test_a_guest_with_a_good_certificate_that_is_not_named_is_refused(at, papers):
    where, _ = at
    found = asked(where, papers.hosts.pair.cert, papers.rival)
    assert found.answer.code.tolist() == [2129]
    assert "does not answer 'rival'" in found.answer.reasons[0]


def test_the_guest_trusts_no_host_of_another_authority_or_name(papers):
    for pair_, ca in ((papers.host, papers.others.pair.cert), (papers.elsewhere, papers.hosts.pair.cert)):
        with hosting(
            pair()[1],
            Rows(real.table("host")),
            tls_cert=pair_.cert,
            tls_key=pair_.key,
            client_ca=papers.guests.pair.cert,
        ) as where:
            assert asked(where, ca, papers.shop, connect_s=1.0).answer.code.tolist() == [105]


def test_a_host_that_others_reach_needs_credentials():
    with (
        pytest.raises(ServiceError, match="no credentials are asked for"),
        hosting(pair()[1], Rows({}), listen="0.0.0.0:0"),
    ):
        pass


def test_names_of_guests_need_somebody_who_asks_for_names():
    with (
        pytest.raises(ServiceError, match="set ASCRIBE_CLIENT_CA"),
        hosting(pair()[1], Rows({}), PartySettings(guests="a")),
    ):
        pass


def test_files_of_tls_that_cannot_be_used_are_named(papers, tmp_path):
    guest, _ = pair()
    for settings, text in (
        (PartySettings(cert=papers.shop.cert), "go together"),
        (PartySettings(cert=papers.shop.cert, key=papers.shop.key), "needs ASCRIBE_PARTY_CA"),
        (PartySettings(ca=tmp_path / "none.pem"), "cannot be read"),
    ):
        with pytest.raises(ServiceError, match=text):
            Link(guest, BANK, "127.0.0.1:1", settings)
