"""Shadow mode: the champion answers, the candidate is compared, and nothing waits for it."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ascribe.core.errors import InputError
from ascribe.core.features import Feature
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.serve import work
from ascribe.serve.messages import Attribution, AttributionAsked
from ascribe.serve.observe.log import Log
from ascribe.serve.rows import Row
from ascribe.serve.service import Service
from ascribe.serve.settings import Settings
from ascribe.serve.versions.comparison import Comparison
from ascribe.serve.versions.leases import Lease, Slot, Versions
from ascribe.serve.versions.shadow import WAITING, Shadow
from tests.bundle import made
from tests.waiting import until

from ..fleet import Fleet, serving

ROWS = made.rows(12, 9)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    held = Fleet(tmp_path)
    held.promote("m", held.publish("m", 1))
    return held


def test_the_champion_answers_and_the_candidate_is_compared(fleet: Fleet):
    first, second = fleet.first("m"), fleet.publish("m", 2)
    fleet.promote("m", second, "candidate")
    with serving(fleet, shadow="candidate", shadow_share=1.0) as server:
        until(lambda: server.card()["shadow"]["version"] == second.version)
        answers = [server.ask([{"values": x} for x in ROWS.tolist()], estimator="exact").json() for _ in range(3)]
        assert {a["version"] for a in answers} == {first.version}
        until(lambda: server.card()["shadow"]["rows"] == 3 * len(ROWS))
        card = server.card()["shadow"]
        apart = np.array([second.predict(x) - first.predict(x) for x in ROWS])
        assert card["prediction_mean_abs"] == pytest.approx(apart.mean(), rel=1e-3)
        assert card["prediction_max_abs"] == pytest.approx(apart.max(), rel=1e-3)
        shares = np.array([list(r["attribution_shares"].values()) for r in answers[0]["attributions"]])
        assert card["attribution_mean_abs"] == pytest.approx(np.abs(shares).mean(), rel=1e-3)  # twice the weights
        assert (card["top_overlap"], card["rank_correlation"], card["failures"]) == (1.0, 1.0, 0)
        assert card["latency_ratio"] > 0
        said = server.events("shadow")[0]
        assert (said["champion"], said["candidate"], said["unit"]) == (first.version, second.version, "W")
        fleet.promote("m", second)  # what was a shadow answers, without being loaded again
        until(lambda: server.card()["version"] == second.version)
        until(lambda: server.events("rollout")[-1].get("how") == "kept")  # said once it answers
        assert server.card()["shadow"]["rows"] == 0
        assert server.ask({"values": ROWS[0].tolist()}).json()["version"] == second.version


def test_a_candidate_that_cannot_answer_is_counted_and_harms_nobody(fleet: Fleet):
    others = (Feature("cycles", "1/s"), *made.FEATURES[1:])
    fleet.promote("m", fleet.publish("m", 2, features=others), "candidate")
    with serving(fleet, shadow="candidate", shadow_share=1.0) as server:
        until(lambda: server.card()["shadow"]["version"] != "")
        row = dict(zip([f.name for f in made.FEATURES], ROWS[0].tolist(), strict=True))
        assert server.ask({"values": row}).status_code == 200
        until(lambda: server.card()["shadow"]["failures"] == 1)
        assert "'busy': no such feature" in server.card()["shadow"]["failure"]


def test_a_server_waits_for_a_candidate_that_is_not_there_yet(fleet: Fleet):
    with serving(fleet, shadow="candidate", shadow_share=1.0) as server:
        until(lambda: server.card()["shadow"]["rollout"]["state"] == "unreachable")
        assert server.ask({"values": ROWS[0].tolist()}).status_code == 200
        new = fleet.publish("m", 2)
        fleet.promote("m", new, "candidate")
        until(lambda: server.card()["shadow"]["version"] == new.version)
        assert server.card()["version"] == fleet.first("m").version


def test_a_shadow_is_another_channel_than_the_one_that_answers(fleet: Fleet):
    with pytest.raises(InputError, match="--shadow production is the channel"), serving(fleet, shadow="production"):
        pass


def test_without_a_shadow_the_card_has_none(fleet: Fleet):
    with serving(fleet) as server:
        assert server.card()["shadow"] is None


def slot_of(channel: str, version: str, predict: object) -> Slot:
    features = (Feature("a"), Feature("b"))
    model = Model(features, predict=predict, background=np.zeros((2, 2)), base_value=0.0)  # type: ignore[arg-type]
    slot = Slot("m", channel)
    slot.swap(Lease("m", channel, version, "0" * 64, model, np.zeros((1, 2))))
    return slot


def test_a_slow_candidate_delays_no_answer_and_what_does_not_fit_is_dropped():
    going = threading.Event()

    def slow(X: np.ndarray) -> np.ndarray:
        going.wait(60)
        return X.sum(axis=1)

    champion = slot_of("production", "1", lambda X: X.sum(axis=1))
    versions = Versions()
    versions.slots.append(champion)
    versions._known[""] = champion
    shadow = Shadow({champion: slot_of("candidate", "2", slow)}, 1.0, Log(lambda line: None))
    service = Service(versions, Settings(), ThreadPoolExecutor(1), None, shadow)
    shadow.start()
    asked = AttributionAsked(method="kernel_shap")

    async def many() -> None:
        for _ in range(3 * WAITING):
            await service.attribute(asked, [Row(values=[1.0, 2.0])])

    asyncio.run(many())  # while the candidate's first row is still being waited for
    card = shadow.card(champion)
    assert card and card.rows == 0
    going.set()
    until(lambda: (c := shadow.card(champion) or card).rows + c.dropped == 3 * WAITING)
    card = shadow.card(champion)
    assert card and card.rows >= WAITING
    assert card.dropped >= WAITING
    shadow.stop()
    shadow.join(5)


def test_a_candidate_stands_back_while_requests_wait():
    champion = slot_of("production", "1", lambda X: X.sum(axis=1))
    shadow = Shadow({champion: slot_of("candidate", "2", lambda X: X.sum(axis=1))}, 1.0, Log(lambda line: None))
    row, asked, options = [Row(values=[1.0, 2.0])], AttributionAsked(method="kernel_shap"), Options()
    answer = work.attribute(champion.lease, asked, row, options, 64, lambda: None, time.perf_counter())  # type: ignore[arg-type]
    card, waiting = shadow.card(champion), [False]
    shadow.offer(champion, asked, row, options, 64, answer, lambda: waiting[0])
    waiting[0] = True  # now somebody does
    shadow.offer(champion, asked, row, options, 64, answer, lambda: waiting[0])
    shadow.start()
    until(lambda: (shadow.card(champion) or card).dropped == 2)
    card = shadow.card(champion)
    assert card and card.rows == 0
    shadow.stop()
    shadow.join(5)


def rows(*shares: dict[str, float], prediction: float = 1.0) -> list[Attribution]:
    return [Attribution("", "ok", "", prediction=prediction, attribution_shares=held) for held in shares]


def test_agreement_is_about_the_largest_counters():
    held = Comparison()
    a, b = {"x": 4.0, "y": -3.0, "z": 2.0, "u": 1.0}, {"x": -1.0, "y": 2.0, "z": 3.0, "u": 4.0}
    held.add(rows(a), rows(b), 2.0, 3.0)
    told = held.numbers()
    assert told["top_overlap"] == pytest.approx(2 / 3)
    assert told["rank_correlation"] == pytest.approx(-1.0)
    assert told["attribution_max_abs"] == 5.0
    assert told["latency_ratio"] == 1.5
    held.add(rows(a), [Attribution("", "invalid", "why")], 2.0, 3.0)
    assert (held.numbers()["failures"], held.numbers()["failure"], held.numbers()["rows"]) == (1, "why", 1)
