"""The page's files over HTTP: to whoever asks, packed, tagged, with the headers that keep a browser strict."""

from __future__ import annotations

import gzip
import itertools
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

import ascribe.serve.page
from ascribe.serve.access.keys import line, new_key
from ascribe.serve.app import running
from ascribe.serve.page.files import OFFERS, STATIC, Offers, files
from ascribe.serve.settings import Settings

from . import tiny

LARGEST = "/page/vendor/echarts.esm.min.mjs"


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server that asks everybody who they are."""
    place = tmp_path_factory.mktemp("page")
    registry, _ = tiny.publish(place)
    (place / "keys").write_text(line("somebody", new_key(), ["predict"]))
    with (
        running(registry, tiny.NAME, Settings(api_keys=place / "keys"), write=lambda _: None) as at,
        httpx.Client(base_url=at.http) as client,
    ):
        yield client


def test_every_file_is_given_to_whoever_asks_and_nothing_else_is(http):
    on_disk = {f"/page/{p.relative_to(STATIC).as_posix()}" for p in STATIC.rglob("*") if p.is_file()}
    assert {"/page/app.js", "/page/style.css", LARGEST} < on_disk
    shown = files(offers=Offers(lake=False))
    assert set(shown) == on_disk | {"/", OFFERS}
    assert b'{"lake": false, "guest": false}' in shown[OFFERS].raw
    for path, file in shown.items():
        answer = http.get(path)
        assert (answer.status_code, answer.content) == (200, file.raw)
        assert answer.headers["content-type"] == file.media
    for path in ("/v1/models", "/docs", "/openapi.json", "/pages", "/page"):
        assert http.get(path).status_code == 401, path


def test_the_home_is_the_page(http):
    answer = http.get("/")
    assert answer.text == (STATIC / "index.html").read_text()
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "path",
    ["/page/", "/page/nothing.js", "/page/../docs.html", "/page/..%2Fdocs.html", "/page/%2e%2e/front.py",
     "/page//etc/passwd", "/page/static/app.js", "/page/words", "/page/app.js/", "/page/app.js%00.css"],
)  # fmt: skip
def test_no_path_leads_outside(http, path):
    host, port = http.base_url.host, http.base_url.port
    with socket.create_connection((host, port)) as raw:  # as it stands: a client would tidy the path
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head = b"".join(iter(lambda: raw.recv(65536), b"")).split(b"\r\n\r\n")[0].decode()
    assert head.startswith(("HTTP/1.1 404", "HTTP/1.1 401")), head


def test_packed_where_the_browser_takes_it(http):
    raw = files()[LARGEST].raw
    with http.stream("GET", LARGEST, headers={"accept-encoding": "br, gzip;q=0.8"}) as answer:
        packed = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
        assert int(answer.headers["content-length"]) == len(packed)
    assert gzip.decompress(packed) == raw
    for accepted in ("", "identity", "gzip;q=0", "br"):
        plain = http.get(LARGEST, headers={"accept-encoding": accepted})
        assert "content-encoding" not in plain.headers
        assert plain.content == raw
    assert plain.headers["vary"] == "accept-encoding"


def test_what_the_browser_has_is_not_sent_again(http):
    first = http.get("/page/app.js")
    tag = first.headers["etag"]
    for named in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = http.get("/page/app.js", headers={"if-none-match": named})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert http.get("/page/app.js", headers={"if-none-match": '"other"'}).status_code == 200
    plain = http.get("/page/app.js", headers={"accept-encoding": "identity", "if-none-match": tag})
    assert plain.status_code == 200
    assert plain.headers["etag"] != tag


def test_head_is_get_without_a_body_and_other_verbs_are_refused(http):
    got, head = http.get("/page/app.js"), http.head("/page/app.js")
    assert head.content == b""
    same = ("content-length", "content-type", "etag")
    assert [head.headers[name] for name in same] == [got.headers[name] for name in same]
    for verb in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer = http.request(verb, "/page/app.js")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/page/nothing"])
def test_the_headers_are_strict(http, path):
    headers = http.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    for name in ("script-src", "style-src", "connect-src"):
        assert policy[name] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-cache"


def test_the_page_is_small_and_asks_nobody_else():
    shown = files()
    assert sum(len(file.packed) for path, file in shown.items() if path != "/") < 2 << 20
    for path, file in shown.items():
        if "/vendor/" in path:
            continue
        text = file.raw.decode()
        addresses = set(re.findall(r"https?://[^\s\"'<>)]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not addresses, f"{path}: {addresses}"
        assert not re.search(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval)\b", text), path
        assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|\son\w+=\"", text), path


def test_both_languages_say_the_same_things():
    count = 0
    for place in sorted((STATIC / "words").glob("*en.js")):
        english, chinese = (_keys(p.read_text()) for p in (place, place.with_name(place.name[:-5] + "zh.js")))
        assert english == chinese, place.name
        count += len(english)
    assert count > 100


def _keys(text: str) -> dict[str, list[str]]:
    """Names of a table of words in order of their appearance, with the places that each text leaves open."""
    found = {}
    where: list[str] = []
    pattern = r'(\w+): \{|"(?:\\.|[^"\\])*"|(\w+):|\}'
    name = ""
    for match in re.finditer(pattern, re.sub(r"^//.*$", "", text, flags=re.MULTILINE)):
        if match[1]:
            where.append(match[1])
        elif match[2]:
            name = match[2]
        elif match[0] == "}":
            where = where[:-1]
        else:
            found[".".join([*where, name])] = sorted(set(re.findall(r"\{(\w+)\}", match[0])))
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_of_charts_stand_out_from_their_ground(theme):
    """WCAG 2.2: 3:1 for what is drawn (1.4.11), 4.5:1 for text (1.4.3)."""
    text = (STATIC / "theme.js").read_text().split(f"  {theme}: {{")[1].split("\n  },")[0]
    named = dict(re.findall(r'(\w+): "(#[0-9a-f]{6})"', text))
    groups = re.findall(r"#[0-9a-f]{6}", text.split("groups: [")[1])
    assert len(groups) == len(set(groups)) == 8
    for colour in (*groups, named["residual"], named["strong"]):
        assert _contrast(colour, named["ground"]) >= 3, colour
    for colour in (named["text"], named["quiet"]):
        assert _contrast(colour, named["ground"]) >= 4.5, colour


def _contrast(one: str, other: str) -> float:
    weights = np.array([0.2126, 0.7152, 0.0722])
    high, low = sorted((weights @ _linear(one), weights @ _linear(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


MACHADO = {  # severity 1.0, linear sRGB (Machado, Oliveira, Fernandes 2009, table 1)
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


@pytest.mark.parametrize("sight", MACHADO)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_of_groups_can_be_told_apart_by_everybody(theme, sight):
    text = (STATIC / "theme.js").read_text().split(f"  {theme}: {{")[1].split("\n  },")[0]
    colours = re.findall(r"#[0-9a-f]{6}", text.split("groups: [")[1]) + re.findall(r'residual: "(#\w+)"', text)
    seen = np.array([_lab(np.array(MACHADO[sight]) @ _linear(colour)) for colour in colours])
    for one, other in itertools.combinations(range(len(colours)), 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 20, (colours[one], colours[other])


def _linear(colour: str) -> np.ndarray:
    parts = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b* under D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = to_xyz @ np.clip(linear, 0, 1) / np.array([0.9505, 1.0, 1.089])
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_the_library_comes_with_its_licence():
    vendor = STATIC / "vendor"
    assert "Apache License" in (vendor / "ECHARTS-LICENSE").read_text()
    assert "Apache ECharts" in (vendor / "ECHARTS-NOTICE").read_text()
    assert (Path(ascribe.serve.page.__file__).parent / "docs.html").is_file()
