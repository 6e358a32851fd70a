"""Faults that the tests of core catch."""

from __future__ import annotations

from benchmarks.record import Raw


def text(raw: Raw) -> str:
    held = raw.cells("faults").values()
    missed = [f"`{d['file']}:{d['line']}` ({d['kind']})" for d in held if not d["caught"]]
    rest = f"Not caught: {', '.join(missed)}." if missed else ""
    return f"""## Faults

Small faults put into `core`, one at a time: its tests and laws catch {len(held) - len(missed)} of {len(held)}.
{rest}
"""
