"""All nodes as one output of one model explains them.

Rows of the state -> columns of the model -> (thinned) -> explained in short calls -> tracks.

Errors of groups: parts d (k, n) of a row's errors add up inside a group, se_g^2 = sum_k (sum_{j in g} d_kj)^2. Where
the parts are not known, se_g <= min(sum_{j in g} se_j, sum_{j not in g} se_j): the triangle inequality, and that the
errors of all shares of a row sum to 0, as prediction and base have none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ascribe.bundle.recent import Rows
from ascribe.core import tiers
from ascribe.core.attribution import STATUS, Attribution
from ascribe.core.errors import CapabilityError
from ascribe.core.explainers import usual
from ascribe.core.features import Feature
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.words import listed
from ascribe.serve import kinds
from ascribe.serve.now.groups import grouped
from ascribe.serve.now.rings import Columns
from ascribe.serve.now.track import Track
from ascribe.serve.settings import Settings
from ascribe.serve.tickets import Kind

__all__ = ["Arrived", "Series", "arranged", "group_errors"]

WORDS = tuple(STATUS)
ALONE = 64  # rows of a call where the kind sets none
LEARNT = 0.1  # of what one call took more or less than those before
Step = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Arrived:
    """Rows (b) in order of time: `X (b, n)` in the model's order, NaN where absent; `lacking`: why a row cannot be
    answered, by row.
    """

    node: list[str]
    t_us: np.ndarray
    measured: np.ndarray
    X: np.ndarray
    lacking: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.node)

    def take(self, at: np.ndarray) -> Arrived:
        """Some rows (indices)."""
        picked = at.tolist()
        lacking = {k: self.lacking[i] for k, i in enumerate(picked) if i in self.lacking}
        return Arrived([self.node[i] for i in picked], self.t_us[at], self.measured[at], self.X[at], lacking)


class Series:
    """Tracks of nodes under a model. `lock` is held by whoever reads or writes tracks."""

    def __init__(self, settings: Settings, groups: Mapping[str, Sequence[str]]) -> None:
        self._settings, self._chosen = settings, groups
        self.lock = threading.Lock()
        self.tracks: dict[str, Track] = {}
        self.ahead: dict[str, tuple[Columns, str]] = {}
        self.versions: list[str] = []
        self.features: tuple[Feature, ...] = ()
        self.groups: dict[str, tuple[int, ...]] = {}
        self.unit, self.tier, self.game, self.trouble = "", "", "", ""
        self.bound, self.version, self.row_s = True, 0, 0.0
        self._kind: Kind | None = None
        self._asked = False
        self._model: Model | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f.name for f in self.features)

    @property
    def member(self) -> np.ndarray:
        """(n, g), 1 where a feature is of a group."""
        G = np.zeros((len(self.features), len(self.groups)))
        for k, columns in enumerate(self.groups.values()):
            G[list(columns), k] = 1.0
        return G

    def follow(self, model: Model, version: str) -> bool:
        """Explain by this model from now on; whether it is another one than before. Other features are another story:
        what was kept goes. `trouble` says why a model's moments cannot be explained.
        """
        if model is self._model:
            return False
        tier = next((t for t in ("fast", "balanced") if t in tiers.offered(model)), "")
        trouble = "" if model.layout.kind == "table" else f"its rows are {model.layout.kind}s, not counters"
        kind = None
        if not trouble:
            try:
                options = Options(budget=self._settings.budget, samples=self._settings.samples)
                kind = kinds.explaining(model, usual(model), options, tier, self._settings.max_budget)
            except CapabilityError as exc:
                trouble = str(exc)
        with self.lock:
            if tuple(model.features) != self.features:
                self.tracks.clear()
                self.ahead.clear()
                self.versions.clear()
                self.features = tuple(model.features)
                self.groups = grouped(self.features, self._chosen)
            self.unit, self.tier, self.trouble = model.unit, tier, trouble
            if version not in self.versions:
                self.versions.append(version)
            self.version = self.versions.index(version)
            self._kind, self._model, self.row_s = kind, model, kind.row_s if kind else 0.0
            self._asked = False
        return True

    def fresh(self, arrived: Arrived) -> Arrived:
        """Rows of nodes that are followed or for whom there is room, and later than what is held of their node."""
        kept, newest = [], {name: track.newest_us for name, track in self.tracks.items()}
        for i, (node, t) in enumerate(zip(arrived.node, arrived.t_us.tolist(), strict=True)):
            if node not in newest and len(newest) >= self._settings.now_nodes:
                continue
            if t > newest.get(node, -1):
                newest[node] = t
                kept.append(i)
        return arrived.take(np.array(kept, dtype=int))

    def thinned(self, arrived: Arrived, most_s: float, whole: bool = True) -> Arrived:
        """So many rows that they take `most_s`, about, by what rows took lately: each node's newest where these are
        the `whole` of what waits, and others by chance.
        """
        most = max(1, int(most_s / max(self.row_s, 1e-9)))
        if len(arrived) <= most:
            return arrived
        last = newest_of(arrived) if whole else np.zeros(0, int)
        others = np.setdiff1d(np.arange(len(arrived)), last)
        rng = np.random.default_rng(int(arrived.t_us[0]))
        drawn = rng.choice(others, min(len(others), max(0, most - len(last))), replace=False)
        return arrived.take(np.union1d(last, drawn))

    def explained(self, arrived: Arrived, step: Step) -> Iterator[tuple[Arrived, Columns, list[str]]]:
        """Piece by piece: rows, their columns and reasons. `step` is called before each call, and may raise."""
        kind = self._kind
        assert kind is not None
        most = kind.most or ALONE
        for first in range(0, len(arrived), most):
            step()
            part = arrived.take(np.arange(first, min(first + most, len(arrived))))
            began = time.perf_counter()
            answer: Attribution = kind.run(part.X, _nothing)
            took_s = (time.perf_counter() - began) / len(part)
            self.row_s += (took_s - self.row_s) * (LEARNT if self._asked else 1.0)
            self._asked = True
            if not answer.additive:
                raise CapabilityError(f"{answer.info.method} shares nothing out, so nothing adds up to the watts")
            yield part, *self._columns(part, answer)

    def push(self, arrived: Arrived, columns: Columns, reasons: list[str]) -> None:
        """Explained rows into the tracks of their nodes."""
        rows: dict[str, list[int]] = {}
        for i, node in enumerate(arrived.node):
            rows.setdefault(node, []).append(i)
        with self.lock:
            for node, at in rows.items():
                self._track(node).push({name: column[at] for name, column in columns.items()}, reasons[at[-1]])

    def show(self, arrived: Arrived, columns: Columns, reasons: list[str]) -> None:
        """Rows explained before the earlier ones of their nodes: what is shown of a node until it has caught up."""
        with self.lock:
            for i, node in enumerate(arrived.node):
                self._track(node)
                self.ahead[node] = {name: column[i : i + 1] for name, column in columns.items()}, reasons[i]

    def shown(self) -> None:
        """All have caught up."""
        with self.lock:
            for node, (row, reason) in self.ahead.items():
                if int(row["t_us"][0]) > self.tracks[node].newest_us:
                    self.tracks[node].push(row, reason)
            self.ahead.clear()

    def behind(self, arrived: Arrived) -> Arrived:
        """Rows later than what is shown of their nodes already."""
        t = {node: int(row["t_us"][0]) for node, (row, _) in self.ahead.items()}
        kept = [i for i, node in enumerate(arrived.node) if arrived.t_us[i] > t.get(node, -1)]
        return arrived.take(np.array(kept, dtype=int))

    def _track(self, node: str) -> Track:
        track = self.tracks.get(node)
        if track is None:
            shape = len(self.features), len(self.groups)
            track = self.tracks[node] = Track(*shape, self._settings.now_moments, self._settings.now_minutes)
        return track

    def newest(self, node: str) -> tuple[Columns, str]:
        """The newest moment of a node, and its reason. Raises KeyError for an unknown node."""
        track, ahead = self.tracks.get(node), self.ahead.get(node)
        if ahead and (track is None or int(ahead[0]["t_us"][0]) > track.newest_us):
            return ahead
        track = self.tracks[node]
        return track.fine.nearest(track.newest_us), track.reason

    def nodes(self) -> list[str]:
        """Names, sorted."""
        return sorted(self.tracks)

    def forget(self, before_us: int) -> None:
        """Nodes that said nothing since."""
        with self.lock:
            for node in [n for n, track in self.tracks.items() if n not in self.ahead and track.newest_us < before_us]:
                del self.tracks[node]

    def _columns(self, part: Arrived, a: Attribution) -> tuple[Columns, list[str]]:
        b, word = len(part), {name: k for k, name in enumerate(WORDS)}
        refused = a.status == "invalid"
        reasons = [part.lacking[i] if refused[i] and i in part.lacking else told for i, told in enumerate(a.reasons)]
        self.bound, self.game = a.deviations is None, a.info.game
        return {
            "t_us": part.t_us, "measured": part.measured, "prediction": np.asarray(a.prediction, float),
            "base": np.asarray(a.bases, float), "version": np.full(b, self.version),
            "status": np.array([word[str(s)] for s in a.status], np.int8), "values": a.values, "stderr": a.stderr,
            "group_stderr": group_errors(a, self.member), "X": part.X,
        }, reasons  # fmt: skip


def arranged(pieces: Sequence[Rows], names: Sequence[str]) -> Arrived:
    """Rows of pieces in order of time, columns as the model has them."""
    node: list[str] = []
    times, watts, parts = [], [], []
    lacking: dict[int, str] = {}
    for piece in pieces:
        place = {name: j for j, name in enumerate(piece.names)}
        given = np.array(piece.X, dtype=float).reshape(len(piece.node), len(piece.names))
        X = np.full((len(piece.node), len(names)), np.nan)
        for j, name in enumerate(names):
            if name in place:
                X[:, j] = given[:, place[name]]
        if missing := [name for name in names if name not in place]:
            lacking |= dict.fromkeys(range(len(node), len(node) + len(X)), f"not sent: {listed(missing)}")
        node += piece.node
        times.append(np.array(piece.t_us, np.int64))
        watts.append(np.array(piece.power_w, dtype=float))
        parts.append(X)
    if not node:
        return Arrived([], np.zeros(0, np.int64), np.zeros(0), np.zeros((0, len(names))))
    whole = Arrived(node, np.concatenate(times), np.concatenate(watts), np.concatenate(parts), lacking)
    return whole.take(np.argsort(whole.t_us, kind="stable"))


def newest_of(arrived: Arrived) -> np.ndarray:
    """Places of each node's newest row, ascending."""
    return np.array(sorted({node: i for i, node in enumerate(arrived.node)}.values()), dtype=int)


def group_errors(a: Attribution, G: np.ndarray) -> np.ndarray:
    """Standard errors of groups (b, g), or bounds of them, as above. `G (n, g)`: 1 where a feature is of a group."""
    if a.deviations is not None:
        parts = [d.astype(float) @ G for d in (a.deviations.completions, a.deviations.coalitions)]
        return np.asarray(np.sqrt(sum((part**2).sum(axis=1) for part in parts)))
    bounds: np.ndarray = np.minimum(a.stderr @ G, a.stderr @ (1.0 - G))
    return bounds


def _nothing() -> None:
    pass
