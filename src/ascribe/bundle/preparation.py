"""From a file or a sentence to a row: what the manifest's `preparation` says.

image    {"resize": r}                                         the shorter side becomes r pixels (bilinear), the
                                                               middle height x width is cut out, colours RGB or grey
text     {"start": word, "unknown": word, "pattern": regex}    lower case; the words that the pattern finds, after
                                                               `start`, numbered; cut at the length, padded

Numbers stay what they are: pixels 0 ... 255 and word numbers. Scaling is inside the graphs.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ascribe.core.errors import InputError
from ascribe.core.layout import Layout
from ascribe.core.words import quoted

__all__ = ["PATTERN", "image", "prepared", "sentence"]

PATTERN = r"[\w']+"
MODES = {1: "L", 3: "RGB"}


def prepared(layout: Layout, told: Mapping[str, Any], X: Any) -> np.ndarray:
    """Rows (b, n) of images or texts: numbers as they are; one or several files (by path), bytes or pictures; one or
    several sentences. Raises InputError.
    """
    if isinstance(X, np.ndarray) and X.dtype.kind in "fiub":
        return layout.rows((), X)
    single = isinstance(X, str | bytes | Path) or hasattr(X, "convert")
    held = [X] if single else list(X.tolist() if isinstance(X, np.ndarray) else X)
    if layout.kind == "text" and held and all(isinstance(one, str) for one in held):
        return np.stack([sentence(layout, told, one) for one in held])
    if layout.kind == "image" and held and not isinstance(held[0], int | float):
        return np.stack([image(layout, told, one) for one in held])
    try:
        return layout.rows((), X)
    except (TypeError, ValueError) as exc:
        if isinstance(exc, InputError):
            raise
        kind = "files, bytes or pictures" if layout.kind == "image" else "sentences"
        raise InputError(f"rows of this model are {kind}, or numbers {layout.shape}") from exc


def image(layout: Layout, told: Mapping[str, Any], given: Any) -> np.ndarray:
    """One picture as a row (n,): a path, the bytes of a file, a Pillow image, or an array (height, width, channels) of
    any size. Raises InputError.
    """
    from PIL import Image, ImageOps

    height, width, channels = layout.shape
    if isinstance(given, np.ndarray):
        if given.shape in (layout.shape, (layout.n,)):
            return given.reshape(-1).astype(float)
        given = _of_array(given)
    picture = given if hasattr(given, "convert") else _opened(given)
    resize = int(told.get("resize") or min(height, width))
    try:
        picture = ImageOps.exif_transpose(picture).convert(MODES[channels])
        scale = max(resize / min(picture.size), width / picture.size[0], height / picture.size[1])
        picture = picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BILINEAR)
    except (OSError, ValueError, SyntaxError) as exc:
        raise InputError(f"the picture cannot be read ({exc}): is it complete?") from exc
    left, top = (picture.size[0] - width) // 2, (picture.size[1] - height) // 2
    cut = picture.crop((left, top, left + width, top + height))
    return np.asarray(cut, dtype=float).reshape(-1)


def _opened(given: Any) -> Any:
    from PIL import Image, UnidentifiedImageError

    what = "the bytes" if isinstance(given, bytes) else str(given)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(given) if isinstance(given, bytes) else given)
            picture.load()
    except FileNotFoundError as exc:
        raise InputError(f"there is no picture {given}") from exc
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as exc:
        raise InputError(f"{what}: a picture of so many pixels is not opened: make it smaller") from exc
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, AttributeError, TypeError) as exc:
        raise InputError(f"{what} cannot be read as a picture: give PNG, JPEG or another kind, complete") from exc
    return picture


def _of_array(given: np.ndarray) -> Any:
    from PIL import Image

    if given.ndim not in (2, 3) or given.min() < 0 or given.max() > 255:
        raise InputError(f"a picture is (height, width, channels), 0 ... 255: got {given.shape}")
    flat = given[:, :, 0] if given.ndim == 3 and given.shape[2] == 1 else given
    try:
        return Image.fromarray(np.round(flat).astype(np.uint8))
    except (TypeError, ValueError) as exc:
        raise InputError(f"a picture is (height, width, channels), 0 ... 255: got {given.shape}") from exc


def sentence(layout: Layout, told: Mapping[str, Any], text: str) -> np.ndarray:
    """One sentence as word numbers (n,). Raises InputError for a word that is unknown where unknown words have none."""
    number = _numbers(layout.words)
    words = re.findall(str(told.get("pattern", PATTERN)), text.lower())
    start, unknown = told.get("start", ""), told.get("unknown", "")
    held = [number[start]] if start else []
    for word in words[: layout.n - len(held)]:
        if word not in number and not unknown:
            raise InputError(f"{quoted(word)} is not in the vocabulary, which has no word for unknown ones")
        held.append(number.get(word, number.get(unknown, 0)))
    row = np.full(layout.n, float(layout.padding))
    row[: len(held)] = held
    return row


@lru_cache(maxsize=16)
def _numbers(words: Sequence[str]) -> dict[str, int]:
    return {word: k for k, word in enumerate(words)}
