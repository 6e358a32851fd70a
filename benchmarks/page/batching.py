"""A million rows through random batches."""

from __future__ import annotations

from benchmarks.record import Raw


def text(raw: Raw) -> str:
    d = raw("batching")
    off = (
        f"{d['different']} differed from the unbatched ones"
        if d["different"]
        else "none differed from the unbatched ones"
    )
    return f"""### Batches

{d["rows"]:,} rows in {d["requests"]:,} requests by 64 callers through random batches of predictions, `fast` and
`balanced`: {d["crossed"]} crossed, {off} by more than 1e-6 of the scale (the largest difference was
{d["largest"]:.1g}).
"""
