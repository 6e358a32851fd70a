"""The environment of the command line, read here only."""

from __future__ import annotations

import os

__all__ = ["single_threaded_blas"]


def single_threaded_blas() -> None:
    """One thread for each matrix product, unless the environment says otherwise; before numpy is first imported.

    A row's products are small: threads that wait for one another make them twenty times slower on a busy machine, and
    rows run side by side anyway. ONNX Runtime has threads of its own.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
