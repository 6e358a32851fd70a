"""What every kind of picture is: a figure, what is said where the pointer rests, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ascribe.core.arrays import np
from ascribe.core.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Cells", "Drawn", "View"]


@dataclass(frozen=True)
class View:
    """What the reader asked to see. `rows`: of the answer (None: as the kind chooses). `top`: players shown one by one
    (None: as fits). `feature`, `colour`: of a dependence. `order`: rows of a heat map by similarity or time. `layer`:
    of attention or maps. `opacity`: of an overlay, 0 ... 1. `measured`: the row's measured value, in the output's unit.

    Raises InputError for another order.
    """

    rows: tuple[int, ...] | None = None
    top: int | None = None
    feature: str = ""
    colour: str = ""
    order: str = "similarity"
    layer: str = ""
    opacity: float = 0.75
    measured: tuple[float | None, ...] | None = None

    def __post_init__(self) -> None:
        if self.order not in ("similarity", "time"):
            raise InputError(f"order is similarity or time, not '{self.order}'")


@dataclass(frozen=True, eq=False)
class Cells:
    """An image whose cells are numbers: names of its lines and columns, `values (lines, columns)`."""

    lines: Sequence[str]
    columns: Sequence[str]
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Drawn:
    """`tips`: by the id of a mark of the SVG, a text for each of its parts in order; `cells`: by the id of an image.
    `head`, `rows`: the table under the picture. `says`: one sentence for who cannot see it. `body`: HTML in place of
    the SVG. `sliders`: beginning of the ids whose opacity the reader may choose.
    """

    figure: Figure
    says: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    tips: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cells: Mapping[str, Cells] = field(default_factory=dict)
    body: str = ""
    slider: str = ""
