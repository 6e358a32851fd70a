"""A hundred nodes stream into an open page, and its memory does not grow."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .feigned import Service, feigning
from .test_now import opened

NODES = tuple(f"row {k // 20}/node-{k % 20:02d}" for k in range(100))
MARGIN = 3 << 20  # bytes: the engine's own caches still grow a little after the first look
FACTOR = 1.25
LOOKS = 10
LAST_VIEW = "performance.getEntriesByType('resource').some(one => one.name.endsWith('/views/ingest.js'))"


@pytest.mark.parametrize("seconds", [10, pytest.param(60, marks=pytest.mark.slow)])
def test_memory_stands_still(tab, seconds):
    with feigning(Service(nodes=NODES, every_s=0.5)) as at:
        one = tab(at)
        page = one.open()
        expect(page.locator(".nodes tbody tr")).to_have_count(len(NODES))
        opened(page)
        session = one.context.new_cdp_session(page)
        session.send("HeapProfiler.enable")

        def used() -> tuple[int, int]:
            """Bytes of the heap, and elements, that somebody holds: the least of some looks, for a moment that is drawn
            between the collection and the count leaves a table's worth of elements that nobody holds."""
            looks = []
            for _ in range(LOOKS):
                session.send("HeapProfiler.collectGarbage")
                heap = page.evaluate("performance.memory.usedJSHeapSize")
                looks.append((heap, session.send("Memory.getDOMCounters")["nodes"]))
            heaps, counts = zip(*looks, strict=True)
            return min(heaps), min(counts)

        while not page.evaluate(LAST_VIEW):  # the others come once the first one stands
            page.wait_for_timeout(200)
        page.wait_for_timeout(5000)  # charts are there, the window is full
        heap, elements = used()
        page.wait_for_timeout(seconds * 1000)
        later, grown = used()
        print(f"{len(NODES)} nodes, {seconds} s: heap {heap} -> {later} bytes, {elements} -> {grown} elements")
        assert later < FACTOR * heap + MARGIN
        assert grown < FACTOR * elements
        one.check()
