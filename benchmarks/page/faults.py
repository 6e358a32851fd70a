"""Faults that the tests of core catch."""

from __future__ import annotations

from benchmarks.record import Raw


def text(raw: Raw) -> str:
    held = list(raw.cells("faults").values())
    caught = sum(d["caught"] for d in held)
    missed = [d for d in held if not d["caught"]]
    alike = [d for d in missed if d.get("equivalent")]
    rows = [f"| `{d['file']}:{d['line']}` | `{d['was']}` | {d.get('equivalent', '')} |" for d in missed]
    head = ["", "| not caught | was | changes nothing that a caller sees, since |", "|---|---|---|"] if rows else []
    lines = [
        "## Faults", "",
        f"{len(held)} small faults, put into `core` one at a time, of three draws, each after tests were added for",
        f"those before: tests and laws catch {caught}, since they were written for them. How many a draw finds before",
        "any test is written for it is the fair figure: [31 of 40 the last",
        "time](../benchmarks/faults/README.md).", *head, *rows,
    ]  # fmt: skip
    if alike:
        lines += ["", f"By {len(alike)} of the {len(missed)} that are left nothing changes that a caller sees."]
    return "\n".join(lines) + "\n"
