"""The soak of `benchmarks/swaps.py` at reduced size: a process, bundles of some MB, both doors without a pause."""

from __future__ import annotations

from benchmarks.swaps import soak


def test_twenty_swaps_under_load_fail_nothing_and_leave_nothing_behind():
    held = soak(20)
    assert held["swaps_that_did_not_come"] == 0
    assert (held["failed_requests"], held["mixed_answers"]) == (0, 0), held["first_failures"]
    assert min(held["requests"].values()) > 20
    assert len(held["rss_bytes"]) == 20
    # a model that is not let go would add one at each swap, and the offset would be tens of them
    assert held["slope_bytes_per_swap"] < held["model_bytes"] / 10
    assert held["offset_of_model"] < 4
