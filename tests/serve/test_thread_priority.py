"""Explanations run on threads of lower priority; the loop and predictions do not."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ascribe.serve.app import running
from ascribe.serve.priority import NICE, give_way
from ascribe.serve.service import Service

from . import tiny

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness of threads")


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_a_thread_gives_way_alone_with_those_that_it_starts():
    before = niceness()
    with ThreadPoolExecutor(1, initializer=give_way) as pool, ThreadPoolExecutor(1) as inner:
        assert pool.submit(niceness).result() == max(NICE, before)
        assert pool.submit(lambda: inner.submit(niceness).result()).result() == max(NICE, before)
    assert niceness() == before


def test_which_threads_of_a_server_give_way(tmp_path, monkeypatch):
    pools: dict[str, int] = {}
    made = Service.__init__

    def init(self, versions, settings, pool, rollout, shadow, telemetry, sampled, predictors, *more):
        pools.update(
            explain=pool.submit(niceness).result(), predict=predictors.submit(niceness).result(), loop=niceness()
        )
        made(self, versions, settings, pool, rollout, shadow, telemetry, sampled, predictors, *more)

    monkeypatch.setattr(Service, "__init__", init)
    registry, _ = tiny.publish(tmp_path)
    with running(registry, tiny.NAME, write=lambda _: None):
        pass
    own = niceness()
    assert pools == {"explain": max(NICE, own), "predict": own, "loop": own}
