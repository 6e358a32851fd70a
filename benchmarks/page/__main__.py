"""Write every measured part of the pages from the raw results:  python -m benchmarks.page [--check]

Parts between marks, figures in docs/images, and the numbers that sentences cite (benchmarks/claims.toml). `--check`
writes nothing and ends with 1 where a page says something else.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.page.claims import claims
from benchmarks.page.marks import ROOT, pages
from benchmarks.page.sections import SECTIONS, pictures
from benchmarks.record import Raw


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    asked = parser.parse_args(arguments)
    raw = Raw()
    old = {place: text for place, text in pages(raw, claims()).items() if place.read_text() != text}
    for place, text in old.items():
        print(("other than the raw results: " if asked.check else "written: ") + str(place.relative_to(ROOT)))
        if not asked.check:
            place.write_text(text)
    if not asked.check:
        for section in SECTIONS:
            pictures(section, raw, ROOT / "docs" / "images")
    return 1 if asked.check and old else 0


if __name__ == "__main__":
    sys.exit(main())
