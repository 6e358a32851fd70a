"""Faults that the tests of core catch."""

from __future__ import annotations

from benchmarks.record import Raw


def text(raw: Raw) -> str:
    held = list(raw.cells("faults").values())
    caught, first = (sum(d[key] for d in held) for key in ("caught", "caught_at_first"))
    missed = [d for d in held if not d["caught"]]
    alike = [d for d in missed if d.get("equivalent")]
    rows = [f"| `{d['file']}:{d['line']}` | `{d['was']}` | {d.get('equivalent', '')} |" for d in missed]
    head = ["", "| not caught | was | changes nothing that a caller sees, since |", "|---|---|---|"] if rows else []
    lines = [
        "## Faults", "",
        f"{len(held)} small faults, put into `core` one at a time: its tests and laws catch {caught}; when each was",
        f"tried for the first time it was {first}. They come from three draws, each after tests were added for those",
        "before: [figures of each](../benchmarks/faults/README.md).", *head, *rows,
    ]  # fmt: skip
    if alike:
        lines += ["", f"By {len(alike)} of the {len(missed)} that are left nothing changes that a caller sees."]
    return "\n".join(lines) + "\n"
