"""Requests that are explained together."""

from __future__ import annotations

from benchmarks.page.text import table
from benchmarks.record import Raw

NAMES = {
    "perceptron_32": "perceptron 32-128-128-1", "convolution_12x12": "convolution, 12 x 12 x 3",
    "resnet20": "ResNet-20, 32 x 32 x 3",
}  # fmt: skip


def text(raw: Raw) -> str:
    d = raw("coalescing")
    held = d["requests"]
    methods = {"saliency": "saliency", "integrated_gradients": f"integrated gradients, {d['steps']} steps"}

    def cells(key: str) -> list[str]:
        c = held[key]
        return [f"{c['alone_ms']:.3g}, {c['together_ms']:.3g}", f"{c['ratio']:.1f}"]

    lines = [
        [title, told, *cells(f"{name}_torch_{method}"), *cells(f"{name}_graph_{method}")]
        for name, title in NAMES.items() for method, told in methods.items() if f"{name}_torch_{method}" in held
    ]  # fmt: skip
    head = ("network", "method", "torch: alone, together, ms", "ratio", "graph: alone, together, ms", "ratio")
    return f"""{d["together"]}
rows in one call against as many calls of one row: processor time of one request, one thread,
medians of three.

{table(head, lines)}
On a CPU coalescing saves what a call costs, not what its products cost: much on small networks, nothing on one
whose steps already fill a pass.
"""
