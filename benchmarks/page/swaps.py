"""Promotions under load."""

from __future__ import annotations

from benchmarks.record import Raw


def text(raw: Raw) -> str:
    d = raw("swaps")
    times = d["model_bytes"] / d["archive_bytes"]
    waits = "; ".join(
        f"{door} p50 {ms['p50']:.1f}, p99 {ms['p99']:.0f}, at most {ms['max']:.0f} ms"
        for door, ms in d["answer_ms"].items()
    )
    return f"""## Swaps

{d["swaps"]} promotions under {sum(d["requests"].values()):,} requests at both doors: {d["failed_requests"]} failed,
{d["mixed_answers"]} mixed. Resident memory {d["slope_bytes_per_swap"] / 1e3:+.1f} kB a swap over the last
{d["slope_swaps"]}. Offset: {d["offset_of_model"]:.2f} models as loaded ({d["model_bytes"] / 1e6:.1f} MB each,
{times:.1f} times the archive's {d["archive_bytes"] / 1e6:.1f} MB), one of them the version that is kept for
rollback. A swap took {d["swap_ms"]["p50"] / 1e3:.2f} s; answers meanwhile: {waits}.
"""
