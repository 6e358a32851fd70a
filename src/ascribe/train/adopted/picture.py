"""Words of the command line as a `Picture`."""

from __future__ import annotations

import re

from ascribe.core.errors import InputError
from ascribe.train.adapters.adopted import Picture

__all__ = ["picture"]


def picture(
    size: str | None, mean: str | None, scale: str | None, channels_first: bool | None, resize: int | None
) -> Picture:
    """`size`: HEIGHTxWIDTH; `mean`, `scale`: one number or several with commas. Raises InputError.

    >>> picture("128x160", "127.5", "0.0078125", None, None).width
    160
    """
    found = re.fullmatch(r"(\d+)x(\d+)", size or "0x0")
    if found is None:
        raise InputError(f"--image is HEIGHTxWIDTH, such as 224x224, not '{size}'")
    height, width = (int(side) or None for side in found.groups())
    return Picture(
        height, width, _numbers("--mean", mean, 0.0), _numbers("--scale", scale, 1.0), channels_first, resize
    )


def _numbers(option: str, text: str | None, default: float) -> tuple[float, ...]:
    if text is None:
        return (default,)
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as exc:
        raise InputError(f"{option} is one number or one a channel, such as 123.7,116.3,103.5, not '{text}'") from exc
