"""Rows of pictures and sentences, prepared one by one as the bundle says. Here a row fails alone.

A picture's bytes and pixels are counted before it is decoded, by what its own header says; only plain kinds are read.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np

from ascribe.bundle.preparation import image, sentence
from ascribe.core.errors import InputError
from ascribe.core.layout import Layout
from ascribe.core.words import listed
from ascribe.serve.faults import TooLargeError
from ascribe.serve.rows import Checked, Row

__all__ = ["MOST_CELLS", "Limits", "check_prepared", "narrow_enough"]

KINDS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
IN_ALL = 4
MOST_CELLS = 1 << 23  # numbers of a request's rows: 64 MiB


@dataclass(frozen=True)
class Limits:
    """Of one picture: `pixels` of the file, `bytes` of it; of one text: `characters`."""

    pixels: int = 1 << 25  # and four times as many of all pictures of a request
    bytes: int = 1 << 23
    characters: int = 1 << 16


def check_prepared(rows: Sequence[Row], layout: Layout, told: Mapping[str, Any], unit: str, limits: Limits) -> Checked:
    """Rows (b, n) of a layout other than a table's. `told`: the bundle's preparation."""
    X = np.full((len(rows), layout.n), nan)
    reasons = [""] * len(rows)
    left = IN_ALL * limits.pixels
    for i, row in enumerate(rows):
        try:
            if row.problem:
                raise InputError(row.problem)
            if row.measured_w is not None and unit != "W":
                raise InputError("measured_w is in W, which this model does not predict: leave it out")
            if row.image is not None and layout.kind == "image":
                picture = _opened(row.image, layout, told, limits, left)
                left -= picture.size[0] * picture.size[1]
                X[i] = image(layout, told, picture)
            else:
                X[i] = _row(row, layout, told, limits)
        except InputError as exc:
            X[i] = nan
            reasons[i] = str(exc)
    return Checked(X, reasons, [None] * len(rows), [row.id for row in rows])


def narrow_enough(rows: int, layout: Layout) -> None:
    """Rows are laid out before anything is asked. Raises TooLargeError."""
    most = max(1, MOST_CELLS // max(1, layout.n))
    if layout.kind != "table" and rows > most:
        raise TooLargeError(f"{rows} rows of {layout.n} numbers, the limit is {most} in a request: send them in parts")


def _row(row: Row, layout: Layout, told: Mapping[str, Any], limits: Limits) -> np.ndarray:
    if row.text is not None and layout.kind == "text":
        if len(row.text) > limits.characters:
            raise InputError(f"{len(row.text)} characters, the limit of this server is {limits.characters} in a text")
        return sentence(layout, told, row.text)
    if row.image is not None or row.text is not None or row.values is None:
        raise InputError(f"this model reads {_wanted(layout)}")
    return _numbers(row, layout)


def _wanted(layout: Layout) -> str:
    what = "a picture: send image" if layout.kind == "image" else "a sentence: send text"
    return f"{what}, or {layout.n} numbers as values"


def _numbers(row: Row, layout: Layout) -> np.ndarray:
    """The row as it is: pixels 0 ... 255 or word numbers, in the order of the layout."""
    given = row.values
    if row.names is not None or not isinstance(given, list | tuple) or len(given) != layout.n:
        raise InputError(f"this model reads {_wanted(layout)}")
    if not all(type(number) in (int, float) for number in given):
        raise InputError(f"values are {layout.n} numbers, nothing else")
    try:
        found = np.array([given], dtype=float)
    except OverflowError as exc:
        raise InputError("values hold a number beyond any pixel or word") from exc
    status, reasons = layout.check((), found)
    if status[0] == "invalid":
        raise InputError(reasons[0])
    return np.asarray(found[0])


def _opened(raw: bytes, layout: Layout, told: Mapping[str, Any], limits: Limits, left: int) -> Any:
    """A picture that is safe to decode, decoded; `left`: pixels that the request may still have. Raises InputError."""
    from PIL import Image

    if len(raw) > limits.bytes:
        raise InputError(f"a picture of {len(raw)} bytes, the limit of this server is {limits.bytes}: make it smaller")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata; sizes are counted here
            picture = Image.open(io.BytesIO(raw), formats=KINDS)
            width, height = picture.size
            short = int(told.get("resize") or min(layout.shape[:2]))
            drawn = max(short / max(1, min(width, height)), layout.shape[0] / height, layout.shape[1] / width) ** 2
            if width * height > limits.pixels or width * height * drawn > max(limits.pixels, 4 * layout.n):
                said = f"a picture of {width} x {height} pixels, the limit of this server is {limits.pixels}"
                raise InputError(f"{said}, drawn to the model's size too: make it smaller, or less long")
            if width * height > left:
                raise InputError(f"the pictures of this request have over {IN_ALL * limits.pixels} pixels: send fewer")
            picture.load()
    except InputError:
        raise
    except Image.DecompressionBombError as exc:
        raise InputError(f"a picture of too many pixels, the limit of this server is {limits.pixels}") from exc
    except Exception as exc:  # whatever a broken file makes of its reader is that row's fault
        raise InputError(f"the picture cannot be read: send {listed(KINDS)}, complete") from exc
    return picture
