"""Answers of a Prometheus server as one row a node and window."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ascribe.train.sources.counters import fresh, increments, mean_of, newest, rate_of
from ascribe.train.sources.presets import Preset, Signal
from ascribe.train.sources.prometheus_address import Options
from ascribe.train.sources.prometheus_client import Client, Line

__all__ = ["Key", "Read", "last_there", "starts", "values_of"]

LOOK_S = 60.0
"""Between two looks at which parts a node had."""

Key = tuple[str, tuple[str, ...], tuple[str, ...]]
"""Whose number it is: the node, the values of the labels in the name, those of the parts."""

Read = dict[Key, np.ndarray]
"""`(w,)` for each: one number a window."""

Labels = tuple[tuple[str, str], ...]
"""Of one counter, sorted, without its name."""


@dataclass(frozen=True, eq=False)
class _Series:
    values: np.ndarray
    sampled_s: np.ndarray


def node_of(labels: Mapping[str, str], preset: Preset) -> str:
    """The node's name: the first of its labels that is there, without a port; empty if none is."""
    named = next((labels[label] for label in preset.node if labels.get(label)), "")
    return re.sub(r"(?<=.):\d+$", "", named)


def starts(client: Client, options: Options, preset: Preset, from_s: float, windows: int) -> dict[str, np.ndarray]:
    """When the counting process of each node was started, (g,), NaN where unknown; empty if the preset cannot tell."""
    if not preset.restarts:
        return {}
    until_s = from_s + windows * options.step_s
    query = preset.asked(preset.restarts, options.match, options.step_s)
    found: dict[str, list[np.ndarray]] = defaultdict(list)
    for line in client.lines(query, from_s, until_s, options.scrape_s):
        found[node_of(line.labels, preset)].append(line.values)
    return {node: np.fmax.reduce(lines) for node, lines in found.items()}


def values_of(
    client: Client, options: Options, preset: Preset, signal: Signal, started: Mapping[str, np.ndarray],
    from_s: float, windows: int,
) -> Read:  # fmt: skip
    """Each window's number of each part, in the signal's unit; NaN for a gap (`counters.py`)."""
    until_s, step = from_s + windows * options.step_s, options.scrape_s
    query = preset.asked(signal.query, options.match, options.step_s)
    if signal.kind == "at_end":
        lines = client.lines(query, from_s + options.step_s, until_s, options.step_s)
        return {key: group[0].values * signal.scale for key, group in _grouped(lines, preset, signal).items()}
    grid = from_s + step * np.arange(windows * options.per_window + 1)
    lines = client.lines(query, from_s, until_s, step)
    sampled = _sampled(client, query, from_s, until_s, step)
    found: Read = {}
    for key, group in _grouped(lines, preset, signal).items():
        one = _one(group, sampled, grid, step)
        values = one.values[None] * signal.scale
        if signal.kind == "gauge":
            found[key] = mean_of(values, options.per_window, signal.possible)[0]
            continue
        began = started.get(key[0])
        grown = increments(
            values, one.sampled_s[None], signal.range, signal.possible, None if began is None else began[None]
        )
        found[key] = rate_of(grown, one.sampled_s[None], options.per_window)[0]
    return found


def last_there(
    client: Client, options: Options, preset: Preset, signal: Signal, from_s: float, until_s: float
) -> dict[Key, float]:
    """When each part was last there, seconds since 1970, on a grid of `LOOK_S` that begins at `from_s`."""
    query = preset.asked(signal.query, options.match, options.step_s)
    found: dict[Key, float] = {}
    for key, group in _grouped(client.lines(query, from_s, until_s, LOOK_S), preset, signal).items():
        there = np.flatnonzero(np.isfinite([line.values for line in group]).any(axis=0))
        if len(there):
            found[key] = from_s + LOOK_S * float(there[-1])
    return found


def _sampled(client: Client, query: str, from_s: float, until_s: float, step: float) -> dict[Labels, np.ndarray] | None:
    """When each sample was scraped; None for an expression, whose numbers are made when it is asked."""
    if not re.fullmatch(r"[A-Za-z_:][\w:]*(\{[^{}]*\})?", query):
        return None
    return {_identity(line): line.values for line in client.lines(f"timestamp({query})", from_s, until_s, step)}


def _identity(line: Line) -> Labels:
    return tuple(sorted((name, value) for name, value in line.labels.items() if name != "__name__"))


def _grouped(lines: Iterable[Line], preset: Preset, signal: Signal) -> dict[Key, list[Line]]:
    groups: dict[Key, list[Line]] = defaultdict(list)
    for line in lines:
        if node := node_of(line.labels, preset):
            by = tuple(line.labels.get(label, "") for label in signal.by)
            part = tuple(line.labels.get(label, "") for label in signal.parts)
            groups[node, by, part].append(line)
    return groups


def _one(group: list[Line], sampled: Mapping[Labels, np.ndarray] | None, grid: np.ndarray, step: float) -> _Series:
    """One counter, though labels that do not matter (a pod's name) may change on the way."""
    values = np.stack([line.values for line in group])
    nothing = np.full(len(grid), np.nan)
    times = np.stack([grid if sampled is None else sampled.get(_identity(line), nothing) for line in group])
    return _Series(*newest(fresh(values, times, grid, step), times))
