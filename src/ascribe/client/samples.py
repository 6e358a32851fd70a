"""Series as callers have them -> series as the wire wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from ascribe.core.errors import InputError

__all__ = ["samples"]

WORDS = frozenset(("name", "times", "epoch_s", "values", "exogenous"))


def samples(series: Any) -> list[dict[str, Any]]:
    """One series or a list of such. Each is a name, whose newest samples the server's lake has; or a mapping of
    `values`, and `times` (texts or datetimes with their zone, or numpy's in UTC) or `epoch_s`, with `name` and
    `exogenous` {name: values} if wanted. None and NaN mean: not measured.

    Raises InputError for anything else.

    >>> samples({"name": "uplink", "epoch_s": [0, 300], "values": [1.5, None]})
    [{'name': 'uplink', 'epoch_s': [0.0, 300.0], 'values': [1.5, None]}]
    """
    held = [series] if isinstance(series, str | Mapping) else list(series)
    return [_one(one) for one in held]


def _one(one: Any) -> dict[str, Any]:
    if isinstance(one, str):
        return {"name": one}
    if not isinstance(one, Mapping) or not WORDS.issuperset(one):
        raise InputError(f"a series is a name, or a mapping of {', '.join(sorted(WORDS))}")
    out: dict[str, Any] = {"name": str(one["name"])} if "name" in one else {}
    if "times" in one:
        out |= _moments(one["times"])
    if "epoch_s" in one:
        out["epoch_s"] = [float(at) for at in one["epoch_s"]]
    if "values" in one:
        out["values"] = _numbers(one["values"])
    if one.get("exogenous"):
        out["exogenous"] = {str(name): _numbers(held) for name, held in one["exogenous"].items()}
    return out


def _moments(times: Sequence[Any]) -> dict[str, Any]:
    if isinstance(times, np.ndarray) and times.dtype.kind == "M":
        return {"epoch_s": (times.astype("datetime64[us]").astype(np.int64) / 1e6).tolist()}
    return {"times": [at.isoformat() if isinstance(at, datetime) else str(at) for at in times]}


def _numbers(values: Any) -> list[float | None]:
    held = np.array([np.nan if value is None else value for value in values], dtype=float)
    return [None if np.isnan(value) else value for value in held.tolist()]
