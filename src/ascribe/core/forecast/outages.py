"""Runs of one value that are out of a series' character: a counter that stands still, a link that reports zeros."""

from __future__ import annotations

from ascribe.core.arrays import Bool, Float, np

__all__ = ["outages"]

FACTOR = 3  # so many times longer than any run that was believed before


def outages(values: Float[np.ndarray, " t"], least: int, history: int) -> Bool[np.ndarray, " t"]:
    """Steps that are not believed: those of a run of equal values from its L-th step on,

        L = max(least, 3 x the longest run that was believed before) + 1

    and only after `history` measured steps. An idle machine with long runs of zeros teaches that they are its
    character; a link that never stood still is believed for `least` steps. A decision about a step uses nothing after
    it, so that a window in training sees what the service would have seen. NaN (not measured) ends a run.
    """
    t = len(values)
    masked = np.zeros(t, bool)
    if t < 2:
        return masked
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))  # NaN differs from itself
    lengths = np.diff(np.append(starts, t))
    measured = np.concatenate([[0], np.cumsum(np.isfinite(values))])
    longest = 1
    for start, length in zip(starts[lengths > 1].tolist(), lengths[lengths > 1].tolist(), strict=True):
        limit = max(least, FACTOR * longest)
        if length > limit and measured[start] >= history:
            masked[start + limit : start + length] = True
        else:
            longest = max(longest, length)
    return masked
