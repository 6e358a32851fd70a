"""`benchmarks/overload.py` at reduced size: twice what a server can do, and what it makes of it."""

from __future__ import annotations

import asyncio

from benchmarks.overload import overloaded
from benchmarks.small_server import served


def test_twice_the_capacity_is_refused_in_part_not_answered_too_late(tmp_path):
    with served(tmp_path) as at:
        held = asyncio.run(overloaded(at["grpc"], seconds=5.0, peak_s=1.5))
    told = held["overload"]
    assert told["failures"] == {}
    assert told["refused"] > 0
    assert told["refused_without_a_hint"] == 0
    # a queue that takes on all that fits into it answers hardly anything in time: 0.3 and 0.7 here
    assert held["late_of_accepted"] < 0.2
    assert held["goodput_over_peak"] > 0.4
