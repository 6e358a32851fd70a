"""Integrated Gradients as a graph, beside Captum."""

from __future__ import annotations

from benchmarks.page.text import table, three
from benchmarks.record import Raw

NAMES = {"perceptron": "perceptron 32-128-128-4", "attention": "attention block 16 x 32", "resnet20": "ResNet-20"}


def text(raw: Raw) -> str:
    d = raw("gradients")
    lines = [
        [f"{title}, {rows}", *(three(c[key]) for key in ("graph_ms", "captum_ms", "captum_batched_ms")),
         f"{c['ratio']:.2f}", f"{c['difference']:.1g}"]
        for name, title in NAMES.items() for rows in (1, 8) if (c := d["networks"].get(f"{name}_{rows}"))
    ]  # fmt: skip
    head = ("network, rows", "graph, ms", "Captum, ms", "by tens, ms", "graph / Captum", "largest difference")
    return f"""{d["steps"]}
Gauss-Legendre steps, one thread, processor time, medians of five taken in turn with Captum's (all
steps in one batch; steps by tens). The graph's time includes the predictions of the gap.

{table(head, lines)}"""
