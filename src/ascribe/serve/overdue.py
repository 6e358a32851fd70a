"""Whether a call that its caller gave up had run out of time.

A caller's library cancels a call when its time is up. The server hears of that before its own deadline comes: it
counted from when the call arrived, and gRPC tells the time rounded up, from one second on by as much as a hundredth.
"""

from __future__ import annotations

__all__ = ["ran_out"]

SHARE, LEAST_S, MOST = 0.02, 0.02, 0.25  # of the time that was given; on the way there and back; of short times


def ran_out(given_s: float | None, took_s: float) -> bool:
    """A call with `given_s` seconds (None: without a deadline) that ended after `took_s`.

    >>> ran_out(1.24, took_s=1.234), ran_out(1.24, took_s=1.0), ran_out(0.02, took_s=0.01), ran_out(None, took_s=60.0)
    (True, False, False, False)
    """
    return given_s is not None and took_s >= given_s - min(max(SHARE * given_s, LEAST_S), MOST * given_s)
