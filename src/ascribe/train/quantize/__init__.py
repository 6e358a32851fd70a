"""From a bundle to one whose model counts in fewer bits.

    fp16           weights and the middle of the graph in half precision
    int8-dynamic   weights in 8 bits, the scale of what comes in measured row by row
    int8-static    weights in 7 bits, what comes in in 8, by ranges seen on calibration rows
    mixed          int8-static, but for the layers that it hurts most: they stay float32
    qat            int8-static of a network that was trained with the rounding in it

A layer is a Conv, Gemm or MatMul with constant weights; what lies before the first and after the last of them (scaling
of counters and of watts, pixels, softmax) stays float32. All begin with the float graph that `preparing` makes.
"""

from __future__ import annotations

from ascribe.train.quantize.making import QuantizeOptions, Report, quantize
from ascribe.train.quantize.precisions import PRECISIONS

__all__ = ["PRECISIONS", "QuantizeOptions", "Report", "quantize"]
