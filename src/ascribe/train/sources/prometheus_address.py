"""`prometheus+http://HOST:PORT/PATH?preset=NAME&...` as options."""

from __future__ import annotations

import difflib
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

from ascribe.core.errors import InputError
from ascribe.train.sources.presets import Preset, Signal, preset

__all__ = ["Options", "parsed"]

KEYS = ("preset", "zone", "node", "match", "step", "scrape", "settle", "start", "end")
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Options:
    """`base`: where the server is. `presets`: power is read by the first, features by all. `step_s`: the window;
    `scrape_s`: how often the server scrapes, and the grid that windows are read on; `settle_s`: how long a complete
    window is left to settle. `start`, `end`: seconds since 1970 (negative: before now), or None.
    """

    base: str
    presets: tuple[Preset, ...]
    power: Signal | None
    match: str
    step_s: float
    scrape_s: float
    settle_s: float
    start: float
    end: float | None

    @property
    def per_window(self) -> int:
        """Points of the grid in a window."""
        return round(self.step_s / self.scrape_s)

    @property
    def step_ms(self) -> int:
        return round(self.step_s * 1000)

    @property
    def stream(self) -> str:
        """`prometheus:BASE?HASH`: whatever changes the rows changes the name; when reading starts and ends does not."""
        asked = repr((self.presets, self.power, self.match, self.step_s, self.scrape_s))
        return f"prometheus:{self.base}?{hashlib.sha256(asked.encode()).hexdigest()[:12]}"


def parsed(address: str) -> Options:
    """Raises InputError for an address that cannot be used, naming the part.

    `preset`  one or more with commas: NAME or FILE.toml
    `zone`    which power (the preset's first)
    `node`    the label that names nodes
    `match`   more matchers for every series: job="x"
    `step`    the window (60s)
    `scrape`  the server's scrape interval (15s)
    `settle`  how long a complete window is left to settle (one scrape)
    `start`   where reading begins in a lake that holds nothing of it: 6h (before now), 2026-05-01T00:00Z, epoch s (1h)
    `end`     where it ends, in the same forms (it follows the present)

    >>> parsed("prometheus+http://127.0.0.1:9090?preset=kepler&step=30s").per_window
    2
    """
    parts = urlsplit(address)
    if parts.scheme not in ("prometheus+http", "prometheus+https") or not parts.hostname:
        raise InputError(f"'{address}' is no Prometheus source: write prometheus+http://HOST:PORT?preset=kepler")
    if parts.username or parts.password:
        raise InputError("leave user and password out of the address: set ASCRIBE_PROMETHEUS_USER and _PASSWORD")
    given = parse_qsl(parts.query, keep_blank_values=True)
    asked = dict(given)
    for key in asked:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            raise InputError(f"'{key}' is unknown to a Prometheus source; {_hint(near)}")
    if len(given) != len(asked):
        raise InputError("each part of a Prometheus address stands once; several presets: preset=kepler,node_exporter")
    if not asked.get("preset"):
        raise InputError("say what to read: ?preset=node_exporter (or kepler, kepler_old, dcgm, ceems, FILE.toml)")
    presets = tuple(preset(name) for name in asked["preset"].split(","))
    if asked.get("node"):
        presets = tuple(found.with_node(asked["node"]) for found in presets)
    power = presets[0].zone(asked.get("zone", "")) if presets[0].power or asked.get("zone") else None
    scrape = _seconds(asked, "scrape", "15s")
    step = _seconds(asked, "step", f"{max(60.0, scrape)}s")
    if step < scrape or abs(step / scrape - round(step / scrape)) > 1e-9:
        raise InputError(f"step={step:g}s is no multiple of scrape={scrape:g}s: windows end on scrapes")
    settle = _seconds(asked, "settle", f"{scrape}s", least=0.0)
    end = _when(asked, "end") if asked.get("end") else None
    base = f"{parts.scheme.removeprefix('prometheus+')}://{parts.netloc}{parts.path.rstrip('/')}"
    start = _when(asked, "start") if asked.get("start") else -3600.0
    return Options(base, presets, power, asked.get("match", ""), step, scrape, settle, start, end)


def _hint(near: list[str]) -> str:
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(KEYS)}"


def _seconds(asked: dict[str, str], key: str, otherwise: str, least: float = 1e-3) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", asked.get(key) or otherwise)
    seconds = float(found[1]) * UNITS[found[2]] if found else -1.0
    if seconds < least:
        raise InputError(f"{key}={asked.get(key)} is no time: write {key}=60s, 5m or 1h")
    return seconds


def _when(asked: dict[str, str], key: str) -> float:
    """Seconds since 1970, or a negative number of seconds before now."""
    text = asked[key]
    if re.fullmatch(r"\d+(\.\d+)?[smhd]", text):
        return -_seconds(asked, key, "")
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise InputError(f"{key}={text} is no time: write {key}=6h (before now) or 2026-05-01T00:00Z") from exc
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
