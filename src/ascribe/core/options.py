"""What a caller of an explainer may choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ascribe.core.arrays import np
from ascribe.core.errors import InputError

__all__ = ["Options", "Patch", "Path"]


@dataclass(frozen=True)
class Path:
    """How a gradient is gathered between a baseline and a row. `steps` of `rule` (`core.quadrature`; None: doubled
    until the completeness gap is below `tolerance` of the difference of the predictions). `draws`, and `noise` as a
    share of each column's range: of methods that average over noisy copies or over baselines.
    """

    steps: int | None = None
    rule: str = "gauss_legendre"
    tolerance: float = 0.01
    draws: int = 32
    noise: float = 0.15


@dataclass(frozen=True)
class Patch:
    """What occlusion hides at a time: `window` and `stride`, in columns of a table, pixels or words (None: one column
    or word, an eighth of an image and half of that).
    """

    window: int | None = None
    stride: int | None = None


@dataclass(frozen=True)
class Options:
    """What a caller may choose. `budget` coalitions (None: by the number of players), `samples` completions each.

    `value`: completions, surrogate, stacked, or auto (as the model was judged). `target_stderr`, in the output's unit:
    coalitions and completions are doubled, whichever errs more, until no player's standard error is above it; `budget`
    is then the most coalitions spent. `tier`: the name that the answer bears, and the graph of a compiled one.

    Of windows `samples` is how many background windows stand for what is absent, at most.

    `baseline`: what stands for an absent input, as a row (n,) or by name (`core.baselines`); None: as the method does
    by itself. `segments (n,)` or `(b, n)`, or a number for each pixel `(h, w)`: players of an image, a text or a
    window; below 0: always present. One number alone: so many superpixels of an image. `path`, `patch`: of gradient and
    of occlusion methods. `layer`: of a network, by name (empty: the last that shows maps).
    """

    estimator: str = "auto"
    budget: int | None = None
    samples: int = 64
    seed: int = 0
    groups: Mapping[str, tuple[str, ...]] | None = None
    value: str = "auto"
    target_stderr: float | None = None
    tier: str = ""
    baseline: np.ndarray | str | None = None
    segments: np.ndarray | int | None = None
    path: Path = Path()
    patch: Patch = Patch()
    layer: str = ""

    def __post_init__(self) -> None:
        if self.target_stderr is not None and not self.target_stderr > 0:
            raise InputError(f"target_stderr is a positive number in the output's unit, not {self.target_stderr}")
        if self.seed < 0:
            raise InputError(f"seed is a number from 0, not {self.seed}")
