"""The self-test: which stores several writers may share, and what it leaves behind."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ascribe.bundle import store as stores
from ascribe.bundle.registry import Registry
from ascribe.bundle.selftest import checked, selftest
from ascribe.bundle.store import open_store
from ascribe.core.errors import RegistryError
from tests.journey import ascribe, one_line, typed
from tests.stores import Place

from .made import NAME, made


def test_a_directory_creates_once_and_locks(tmp_path):
    found = selftest(open_store(str(tmp_path)))
    assert [line.partition(":")[0] for line in found] == ["create-only", "lock"]
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_store_with_conditional_writes_creates_once_and_swaps(s3: Place):
    store = open_store(s3.uri)
    found = selftest(store)
    assert [line.partition(":")[0] for line in found] == ["create-only", "swap"]
    assert store.names("") == []


def test_a_store_that_ignores_conditions_is_refused_in_one_line(careless_s3: Place):
    store = open_store(careless_s3.uri)
    with pytest.raises(RegistryError, match=r"ignores create-only writes .*: several writers would") as caught:
        selftest(store)
    assert "\n" not in str(caught.value)
    assert careless_s3.uri in str(caught.value)
    assert store.names("") == []


def test_a_careless_store_is_neither_published_nor_promoted_to(careless_s3: Place, tmp_path):
    registry, bundle = Registry(careless_s3.uri), made(tmp_path)
    with pytest.raises(RegistryError, match="ignores create-only writes"):
        registry.publish(NAME, bundle)
    with pytest.raises(RegistryError, match="ignores create-only writes"):
        registry.promote(NAME, bundle.manifest.version(), "2026-11-01T00:00:00Z")
    assert registry.store.names("") == []
    assert registry.versions(NAME) == []  # reading needs no test


class Forgetful(BaseHTTPRequestHandler):
    """A gateway before a good store that loses the header `If-Match` on its way."""

    behind = ""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kept = {k: v for k, v in self.headers.items() if k.lower() not in ("if-match", "connection")}
        line = http.client.HTTPConnection(self.behind.removeprefix("http://"))
        line.request(self.command, self.path, body, kept)
        answer = line.getresponse()
        raw = answer.read()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on  # noqa: N815 - names of http.server

    def log_message(self, *args: object) -> None: ...


def test_a_store_that_creates_once_but_ignores_if_match_is_refused(s3: Place, monkeypatch):
    monkeypatch.setattr(Forgetful, "behind", s3.endpoint)
    direct = open_store(s3.uri)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Forgetful)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
    try:
        with pytest.raises(RegistryError, match=r"ignores If-Match \(a write against a stale e-tag succeeded\)"):
            selftest(open_store(s3.uri))
    finally:
        server.shutdown()
        server.server_close()
    assert direct.names("") == []


class Deaf:
    """Locks that keep nobody out, as on a network file system without them."""

    def __init__(self, *args: object, **named: object) -> None: ...

    def __enter__(self) -> None: ...

    def __exit__(self, *args: object) -> None: ...


def test_a_directory_whose_locks_keep_nobody_out_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "FileLock", Deaf)
    with pytest.raises(RegistryError, match="ignores file locks"):
        selftest(open_store(str(tmp_path)))


def test_a_store_is_tested_once_for_a_process(s3: Place, tmp_path):
    """Whoever publishes again and again asks nothing of the store but the publication: the probe is new each time."""
    registry, bundle = Registry(s3.uri), made(tmp_path)
    before = checked.cache_info().misses
    for _ in range(3):
        registry.publish(NAME, bundle)
    assert checked.cache_info().misses == before + 1
    assert registry.store.names(".probe") == []


def test_the_command_says_what_holds_or_why_not(careless_s3: Place, tmp_path):
    good = ascribe("registry", "check", tmp_path)
    assert good.returncode == 0, good.stderr
    assert good.stdout.splitlines() == [*selftest(open_store(str(tmp_path))), f"{tmp_path} can have several writers"]
    bad = typed("registry", "check", careless_s3.uri)
    assert bad.returncode == 2
    assert "ignores create-only writes" in one_line(bad)


def test_the_command_on_a_store_with_conditional_writes(s3: Place):
    done = typed("registry", "check", s3.uri)
    assert done.returncode == 0, done.stderr
    assert "a write against a stale e-tag is refused" in done.stdout
