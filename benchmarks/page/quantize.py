"""What fewer bits cost."""

from __future__ import annotations

from typing import Any

from benchmarks.page.text import table
from benchmarks.record import Raw, saturates

NAMES = {"power": "power, 6-64-32-1", "resnet20": "ResNet-20", "mobilenet_v1_0.25_128": "MobileNet v1 0.25, 128 x 128"}
DRIFT = ("conditional_shap", "occlusion")  # of tables, of pictures
HEAD = (
    "model", "precision", "graph, KiB", "size", "time, 1 row", "time, 64 rows", "error, RMS of spread", "same class",
    "drift, MAE of mean \\|value\\|", "rank, median (5 %)", "gate",
)  # fmt: skip
SATURATED = (
    "Measured on a machine without VNNI, where products with 8-bit weights saturate and those with 7 bits do not.\n"
)


def text(raw: Raw) -> str:
    held = raw("quantize")
    machine = held.pop("machine")
    lines = [_line(name, way, c) for name, d in held.items() for way, c in d.items() if way != "broken"]
    broken = "; ".join(
        f"{NAMES.get(name, name)}: {d['broken']['refused'][0]}" for name, d in held.items() if "broken" in d
    )
    return f"""Times
are ratios to the original in the same process, in turn, one thread. Rows judged and rows explained of each
model are in the raw file; drift is that of `conditional_shap` for tables, of `occlusion` for pictures.

{table(HEAD, lines)}
`broken`, half of one layer's outputs zeroed in int8-static, is refused. {broken}.

{SATURATED if saturates(machine) else ""}"""


def _line(name: str, way: str, c: dict[str, Any]) -> list[str]:
    drift = next(c["drift"][m] for m in DRIFT if m in c["drift"])
    error, kept = c["error"], len(c["float32_layers"])
    return [
        NAMES.get(name, name), way + (f" ({kept} layers float32)" if kept else ""),
        f"{c['bytes'][0] / 1024:.0f} of {c['bytes'][1] / 1024:.0f}", f"x{c['bytes'][0] / c['bytes'][1]:.2f}",
        *(f"x{c['ms'][rows][0] / c['ms'][rows][1]:.2f}" for rows in ("1", "64")), f"{100 * error['share']:.2g} %",
        "" if error["agreement"] is None else f"{100 * error['agreement']:.3g} %", f"{100 * drift['share']:.2g} %",
        f"{drift['rank']:.3f} ({drift['rank_low']:.3f})", "refused" if c["refused"] else "passes",
    ]  # fmt: skip
