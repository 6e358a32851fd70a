"""Return codes of a row or a request, numbered as in FATE-Serving; a client sees a host's code with a 2 before it."""

from __future__ import annotations

__all__ = [
    "BAD_FEATURE", "BAD_PARAMETER", "NETWORK", "NOT_LOADED", "NO_FEATURES", "OK", "OVERLOADED", "SOURCE_FAILED",
    "SYSTEM", "TOO_EMPTY", "WITHHELD", "WRONG_ANSWER", "of_host",
]  # fmt: skip

OK = 0
BAD_PARAMETER = 100
BAD_FEATURE = 102
NOT_LOADED = 104
NETWORK = 105
SYSTEM = 110
NO_FEATURES = 113
SOURCE_FAILED = 116
OVERLOADED = 124
WITHHELD = 130  # ours: a policy of publishing does not show the row
TOO_EMPTY = 131
WRONG_ANSWER = 136


def of_host(code: int) -> int:
    """What the guest shows for a host's code.

    >>> of_host(113), of_host(0)
    (2113, 0)
    """
    return int(f"2{code}") if code else OK
