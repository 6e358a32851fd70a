"""The page's files, in memory: what is not in this table is not served, whatever a path says."""

from __future__ import annotations

import gzip
import hashlib
import json
import posixpath
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["HOME", "OFFERS", "UNDER", "File", "Offers", "files"]

STATIC = Path(__file__).parent / "static"
HOME, UNDER = "/", "/page/"
OFFERS = "/page/offers.js"
APP, LIBRARY = "/page/app.js", "/page/vendor/echarts.esm.min.mjs"
FIRST = {False: "/page/views/now.js", True: "/page/views/federated.js"}  # the view that is shown first; of a guest
IMPORT = re.compile(r'^import .* from "(\.[^"]+)";$', re.MULTILINE)
LEVEL = 6  # of gzip; 9 saves half a percent of the largest file and takes twice as long
MEDIA = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    "": "text/plain; charset=utf-8",  # licences
}


@dataclass(frozen=True)
class File:
    """`raw` as it lies there; `packed`: gzip, made when it is first asked for. Each has a tag of its own."""

    media: str
    raw: bytes

    @cached_property
    def packed(self) -> bytes:
        return gzip.compress(self.raw, LEVEL, mtime=0)

    @cached_property
    def tag(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()[:32]


@dataclass(frozen=True)
class Offers:
    """What a server has beside its models, known before anybody is asked who they are. `lake`: it follows telemetry;
    `guest`: its models have other halves elsewhere. Told as `/page/offers.js`, so that the page asks for nothing that
    is not there.
    """

    lake: bool = True
    guest: bool = False

    def module(self) -> bytes:
        told = json.dumps({"lake": self.lake, "guest": self.guest})
        return f"export const offers = Object.freeze({told});\n".encode()


def files(folder: Path = STATIC, offers: Offers | None = None) -> dict[str, File]:
    """Every file by its path in a URL: `/page/NAME`, `/` for index.html, and what the server offers."""
    offers = offers or Offers()
    found = {}
    for place in sorted(folder.rglob("*")):
        if place.is_file() and place.suffix in MEDIA:
            found[UNDER + place.relative_to(folder).as_posix()] = File(MEDIA[place.suffix], place.read_bytes())
    found[OFFERS] = File(MEDIA[".js"], offers.module())
    found[HOME] = found[UNDER + "index.html"] = _preloading(found, FIRST[offers.guest])
    return found


def _preloading(found: dict[str, File], first: str) -> File:
    """index.html, which names all that the first view needs: a browser asks for it at once, not import by import."""
    wanted: dict[str, None] = {}
    waiting = [APP, LIBRARY, first]
    while waiting:
        path = waiting.pop(0)
        if path not in wanted:
            wanted[path] = None
            named = () if path == LIBRARY else IMPORT.findall(found[path].raw.decode())
            waiting += [posixpath.normpath(f"{posixpath.dirname(path)}/{name}") for name in named]
    links = "".join(f'<link rel="modulepreload" href="{path}">\n' for path in wanted)
    page = found[UNDER + "index.html"]
    return File(page.media, page.raw.replace(b"</head>", links.encode() + b"</head>"))
