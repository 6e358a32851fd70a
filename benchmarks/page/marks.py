"""The pages with their measured parts, and the sentences that cite a number, written anew."""

from __future__ import annotations

from pathlib import Path

from benchmarks.page.claims import Claim, cited
from benchmarks.page.sections import SECTIONS, Section, part
from benchmarks.record import Raw

__all__ = ["ROOT", "between", "pages"]

ROOT = Path(__file__).parents[2]


def between(page: str, section: Section, text: str) -> str:
    """The page with `text` between the marks of a section. Raises ValueError where it has no marks."""
    begin, end = f"<!-- {section.name}:begin -->", f"<!-- {section.name}:end -->"
    before, opened, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise ValueError(f"docs/{section.page} needs the lines {begin} and {end}")
    return f"{before}{begin}\n{text}{end}{after}"


def pages(raw: Raw, claims: tuple[Claim, ...]) -> dict[Path, str]:
    """What every page that holds a measurement is to be, by its place."""
    made: dict[Path, str] = {}

    def page(name: str) -> Path:
        made.setdefault(ROOT / name, (ROOT / name).read_text())
        return ROOT / name

    for section in SECTIONS:
        if section.page:
            place = page(f"docs/{section.page}")
            made[place] = between(made[place], section, part(section, raw))
    for claim in claims:
        place = page(claim.page)
        made[place] = cited(made[place], claim, raw)
    return made
