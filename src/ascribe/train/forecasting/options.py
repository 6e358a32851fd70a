"""Sizes and schedules of the recurrent network; presets by name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from ascribe.core.errors import InputError
from ascribe.core.forecast.scaling import KINDS
from ascribe.core.words import quoted

__all__ = ["ATTENTIONS", "DECODINGS", "PRESETS", "NetworkOptions", "changed", "preset"]

ATTENTIONS = ("dot", "multi-head")
DECODINGS = ("direct", "stepwise")
SCALINGS = ("window", *KINDS)
DAY = 0  # of `patch`
YES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
KINDS_IN_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


@dataclass(frozen=True)
class NetworkOptions:
    """patch      steps of the series that one step of encoder and decoder takes; 0: a day of them
    hidden     of both GRUs;  layers: of both;  dense: of the layer between state and output
    attention  `dot`: scaled dot product of the states as they are, one head; `multi-head`: `heads`, each projected
    decoding   `direct`: a patch does not see the forecast of the one before; `stepwise`: it does, and in training the
               truth instead, with a probability that falls from 1 to 0 over the first `forced` of training
    dropout    of attention weights and between layers
    calendar   which encodings enter (the day of the month only pays where months repeat)
    scaling    of values: `window`, each by its own mean and deviation; `standard` or `min-max` of the training part
    rest       forecast what the seasonal regression leaves over; else what the level of the window leaves over
    every      steps between training origins, odd to meet every time of day;  windows: most that an epoch takes of them
    max_seconds of one training, after which no further epoch begins; results then depend on the machine
    epochs, batch, lr, weight_decay, patience, clip, warm: training; `schedule`: `one-cycle` or `constant`
    whole      a step of the encoder takes every input of every step of its patch; else their means over the patch
    jitter     in training each day of a context is multiplied by exp(jitter z), z normal: a network that knows 50 days
               by heart is kept from knowing them
    average    decay of the running mean of weights that serves; 0: the weights themselves
    refit      train once more on all of the training part, the held-out blocks too
    seeds      networks, whose forecasts are averaged
    levels     of the quantiles
    """

    patch: int = 72
    hidden: int = 64
    layers: int = 1
    dense: int = 128
    attention: str = "dot"
    heads: int = 8
    decoding: str = "direct"
    forced: float = 0.8
    dropout: float = 0.1
    calendar: tuple[str, ...] = ("minute_sin", "minute_cos", "weekday_sin", "weekday_cos")
    scaling: str = "window"
    rest: bool = True
    whole: bool = False
    jitter: float = 0.15
    every: int = 11
    windows: int = 4000
    epochs: int = 30
    batch: int = 64
    lr: float = 2e-3
    weight_decay: float = 1e-2
    patience: int = 10
    clip: float = 1.0
    schedule: str = "one-cycle"
    average: float = 0.99
    max_seconds: float | None = None
    refit: bool = True
    seeds: int = 1
    levels: tuple[float, ...] = (0.05, 0.5, 0.95)

    def __post_init__(self) -> None:
        if self.attention not in ATTENTIONS or self.decoding not in DECODINGS:
            raise InputError(f"attention is one of {', '.join(ATTENTIONS)}; decoding of {', '.join(DECODINGS)}")
        least = min(self.hidden, self.layers, self.dense, self.heads, self.every, self.windows, self.epochs, self.batch)
        if min(least, self.seeds, self.patience) < 1 or self.patch < 0:
            raise InputError(
                "sizes, heads, epochs, patience, batch, origins and seeds of a network: at least 1; a patch 0 or more"
            )
        if not (0 <= self.dropout < 1 and 0 <= self.average < 1):
            raise InputError("dropout and average of a network: from 0 to below 1")
        whole = all(value >= 0 for value in (self.weight_decay, self.jitter, self.forced))
        if not (0 < self.lr < math.inf and self.clip > 0 and whole):
            raise InputError("lr and clip of a network: above 0; weight_decay, jitter and forced: 0 or more")
        if self.attention == "multi-head" and self.hidden % self.heads:
            raise InputError(f"{self.heads} heads do not divide a state of {self.hidden}")
        if self.scaling not in SCALINGS:
            raise InputError(f"scaling is one of {', '.join(SCALINGS)}")
        if self.schedule not in ("one-cycle", "constant"):
            raise InputError("schedule is one-cycle or constant")
        if list(self.levels) != sorted(set(self.levels)) or not all(0 < level < 1 for level in self.levels):
            raise InputError("levels of quantiles rise, between 0 and 1")


MONTH = ("monthday_sin", "monthday_cos")

# The design document's own sizes: a day is a step, every input of every sample enters.
PRESETS: Mapping[str, NetworkOptions] = {
    "default": NetworkOptions(),
    "document": NetworkOptions(
        patch=DAY, hidden=2048, layers=3, dense=2048, attention="multi-head", heads=8, decoding="stepwise", dropout=0.1,
        calendar=(*NetworkOptions.calendar, *MONTH), scaling="min-max", rest=False, whole=True,
        jitter=0.0, every=6, epochs=1000, batch=16,
        lr=1e-3, weight_decay=0.0, patience=50, schedule="constant", average=0.0,
    ),
}  # fmt: skip


def preset(name: str) -> NetworkOptions:
    """Options by name. Raises InputError for an unknown one."""
    if name not in PRESETS:
        raise InputError(f"no preset {name!r}: {', '.join(PRESETS)}")
    return PRESETS[name]


def changed(options: NetworkOptions, told: Sequence[str]) -> NetworkOptions:
    """With `NAME=VALUE` of each, read as what the option is.

    >>> changed(preset("default"), ["attention=multi-head", "hidden=128"]).hidden
    128

    Raises InputError for another name, or a value that is none.
    """
    found: dict[str, Any] = {}
    for text in told:
        name, _, value = text.partition("=")
        own = getattr(options, name, None) if name in {f.name for f in fields(options)} else None
        kind = type(own)
        if kind not in (int, float, str, bool):
            known = ", ".join(
                f.name for f in fields(options) if type(getattr(options, f.name)) in (int, float, str, bool)
            )
            raise InputError(f"no option {quoted(name)} of the network: {known}")
        try:
            found[name] = YES[value] if kind is bool else kind(value)
        except (ValueError, KeyError) as exc:
            raise InputError(f"{name} of the network is {KINDS_IN_WORDS[kind]}, not {quoted(value)}") from exc
    return replace(options, **found)
