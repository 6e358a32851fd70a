"""Tables of series whose numbers are known."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from ascribe.train.series.options import SeriesOptions

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hourly(days=20, names=("north", "south"), start=START, seed=0):
    """Long: time (UTC), link, bits; a daily wave with noise."""
    rng, t = np.random.default_rng(seed), 24 * days
    rows = [
        (start + k * HOUR, name, 100.0 * (j + 1) + 30 * np.sin(2 * np.pi * k / 24) + rng.normal())
        for k in range(t)
        for j, name in enumerate(names)
    ]
    return pl.DataFrame(
        rows, schema={"time": pl.Datetime("us", "UTC"), "link": pl.String, "bits": pl.Float64}, orient="row"
    )


def options(data="", **changes):
    said = {"time": "time", "value": ("bits",), "series": "link", "step": "1h"}
    return SeriesOptions(str(data), **(said | changes))


def same(a, b):
    """Bit for bit the same series."""
    assert (a.names, a.start_s, a.step_s, a.exogenous_names) == (b.names, b.start_s, b.step_s, b.exogenous_names)
    for name in ("values", "observed", "local_s", "exogenous"):
        assert getattr(a, name).tobytes() == getattr(b, name).tobytes(), name
