"""The soak of `benchmarks/restarts.py` at reduced size: two processes behind a proxy, both doors without a pause."""

from __future__ import annotations

from benchmarks.restarts import soak


def test_two_rolling_restarts_under_load_fail_nothing():
    held = soak(2, rate=25.0, drain_s=2.0)
    assert held["replicas_ended"] == 4
    assert held["exit_codes"] == {"0": 4}
    assert held["failed_requests"] == 0, held["doors"]
    assert held["connections_in_trouble"] == {}
    for door in held["doors"].values():
        assert door["answered"] > 100
    # a connection that outlived its replica would show that none of them was replaced under load
    assert min(held["connections"].values()) >= 4
