"""The environment of the command line, read here only."""

from __future__ import annotations

import os

__all__ = ["has_display", "single_threaded_blas"]


def has_display() -> bool:
    """Whether a picture can be opened for somebody to see."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def single_threaded_blas() -> None:
    """One thread for each matrix product, unless the environment says otherwise; before numpy is first imported.

    A row's products are small: threads that wait for one another make them twenty times slower on a busy machine, and
    rows run side by side anyway. ONNX Runtime has threads of its own.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
