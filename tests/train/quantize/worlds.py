"""What rounding is, and on which processors eight bits saturate."""

import numpy as np

from ascribe.train.quantize.layers import MOST
from benchmarks.record import machine, saturates

SATURATES = saturates(machine())


def whole(W, axis, bits):
    """Weights as their rounding gives them: numpy, an output at a time."""
    rows = np.moveaxis(W.astype(np.float64), axis, 0).copy()
    for row in rows:
        s = np.abs(row).max() / MOST[bits]
        row[...] = np.round(row / s) * s
    return np.moveaxis(rows, 0, axis)
