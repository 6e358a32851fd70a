"""What rounding is, and on which processors eight bits saturate."""

import platform
from pathlib import Path

import numpy as np

from ascribe.train.quantize.layers import MOST

INFO = Path("/proc/cpuinfo")
SATURATES = platform.machine() == "x86_64" and INFO.exists() and "vnni" not in INFO.read_text()  # docs/quantize.md


def whole(W, axis, bits):
    """Weights as their rounding gives them: numpy, an output at a time."""
    rows = np.moveaxis(W.astype(np.float64), axis, 0).copy()
    for row in rows:
        s = np.abs(row).max() / MOST[bits]
        row[...] = np.round(row / s) * s
    return np.moveaxis(rows, 0, axis)
