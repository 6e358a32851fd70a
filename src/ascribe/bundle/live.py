"""Rows that servers answered, as small samples: what they met, what they said, for the offline side to compare.

    live/<model>/<server>    a sample of one server's recent rows, rewritten now and then

A server keeps a bounded reservoir and writes it as a whole; several servers of a model write beside one another.
"""

from __future__ import annotations

import msgspec
import numpy as np

from ascribe.bundle.state import State
from ascribe.core.errors import NotFound, RegistryError

__all__ = ["Live", "read_live", "write_live"]

LIVE = "live"


class Live(msgspec.Struct, frozen=True):
    """`X (rows, n)` in natural units in the order of `names`, `predictions (rows,)`, `attributions (rows, n)` or none,
    all by bundle `version`; `seen`: rows answered while the sample was drawn; `at`: ISO 8601 UTC.
    """

    version: str
    at: str
    names: list[str]
    X: list[list[float]]
    predictions: list[float]
    attributions: list[list[float]] = []
    seen: int = 0


def write_live(state: State, model: str, server: str, sample: Live) -> None:
    """Write or replace one server's sample. Raises RegistryError."""
    state.put(sample, LIVE, model, server)


def read_live(state: State, model: str, version: str) -> Live:
    """The samples of all servers that answered with `version` as one, the newest `at` among them; attributions only
    where every server sent them. Raises NotFound if there is none, RegistryError for a blob that is no sample.
    """
    found = []
    for server in state.names(LIVE, model):
        try:
            sample = msgspec.convert(state.get(LIVE, model, server), Live)
        except msgspec.ValidationError as exc:
            raise RegistryError(f"{LIVE}/{model}/{server} of {state.uri} is no sample ({exc}): remove it") from exc
        if sample.version == version and sample.X:
            _check(sample, f"{LIVE}/{model}/{server} of {state.uri}")
            found.append(sample)
    if not found or any(sample.names != found[0].names for sample in found):
        raise NotFound(f"{state.uri} has no live rows of {model} {version}: is a server answering with it?")
    explained = all(sample.attributions for sample in found)
    return Live(
        version,
        max(sample.at for sample in found),
        found[0].names,
        [row for sample in found for row in sample.X],
        [f for sample in found for f in sample.predictions],
        [row for sample in found for row in sample.attributions] if explained else [],
        sum(sample.seen for sample in found),
    )


def _check(sample: Live, where: str) -> None:
    try:
        shapes = [np.asarray(part, dtype=float).shape for part in (sample.X, sample.predictions, sample.attributions)]
    except ValueError as exc:
        raise RegistryError(f"{where} is no sample ({exc}): remove it") from exc
    rows = (len(sample.X), len(sample.names))
    if shapes[0] != rows or shapes[1] != rows[:1] or shapes[2] not in (rows, (0,)):
        raise RegistryError(f"{where} holds rows of different lengths: remove it")
