"""Series with a day, a week, noise and gaps, small enough to fit on in a moment."""

import numpy as np

from ascribe.core.forecast import Series

STEP_S, DAY = 7200, 12


def weekly(days=56, names=("north", "south"), seed=0, gaps=0.03):
    """Steps of two hours; the second series is a hundred times the first in size."""
    rng = np.random.default_rng(seed)
    t = np.arange(days * DAY)
    day, weekday = t % DAY, (t // DAY) % 7
    shape = 10 + 4 * np.sin(2 * np.pi * day / DAY) * np.where(weekday >= 5, 0.3, 1.0)
    size = 100.0 ** np.arange(len(names))
    drift = np.exp(np.cumsum(rng.normal(0, 0.01, (len(t), len(names))), axis=0))
    values = shape[:, None] * size * drift * np.exp(rng.normal(0, 0.03, (len(t), len(names))))
    observed = rng.random(values.shape) >= gaps
    local_s = 4 * 86400 + STEP_S * t.astype(np.int64)  # Monday 5 January 1970
    return Series(
        tuple(names), int(local_s[0]), STEP_S, values, observed, local_s, np.zeros((*values.shape, 0)), (), "Mb/s"
    )
