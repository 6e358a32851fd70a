"""What the package index comes to for every extra, by Python."""

from __future__ import annotations

from benchmarks.record import Raw


def text(raw: Raw) -> str:
    d = raw("resolves")
    pythons = list(d["newest"])
    extras = list(d["newest"][pythons[0]])
    rows = [f"| {extra} | " + " | ".join(_said(d["newest"][p][extra]) for p in pythons) + " |" for extra in extras]
    pinned = (
        "| all, as `constraints.txt` has them | " + " | ".join(_said(d["pinned"][p]["all"]) for p in pythons) + " |"
    )
    head = ["| packages of | " + " | ".join(pythons) + " |", "|---" * (len(pythons) + 1) + "|"]
    return "\n".join([*head, *rows, pinned]) + f"\n\nAsked of {d['resolver']}, wheels only, {d['platform']}.\n"


def _said(answer: dict[str, object]) -> str:
    return "fails" if "fails" in answer else str(answer["packages"])
