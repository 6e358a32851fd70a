"""Series whose every number tells where it stands."""

import numpy as np

from ascribe.core.forecast import Series


def numbered(t=40, s=2, step_s=3600, exogenous=(), start_s=0, zone_s=0):
    """values[i, j] = i + 1000 j: a number out of place is seen at once. exogenous k: 10,000 (k + 1) more."""
    values = np.arange(t, dtype=float)[:, None] + 1000.0 * np.arange(s)
    extra = np.stack([values + 10_000.0 * (k + 1) for k in range(len(exogenous))], axis=2) if exogenous else None
    return Series(
        tuple(f"link{j}" for j in range(s)), start_s, step_s, values, np.ones((t, s), bool),
        start_s + zone_s + step_s * np.arange(t, dtype=np.int64),
        np.zeros((t, s, 0)) if extra is None else extra, tuple(exogenous), "Mb/s",
    )  # fmt: skip


def with_values(series, values, observed=None):
    """The same grid with other numbers."""
    seen = np.isfinite(values) if observed is None else observed
    return Series(series.names, series.start_s, series.step_s, values, seen, series.local_s, series.exogenous,
                  series.exogenous_names, series.unit)  # fmt: skip
