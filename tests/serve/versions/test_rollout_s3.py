"""Roll-out from S3-compatible storage: the e-tag is what is polled, and a store that goes away harms no answer."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.bundle import made
from tests.ports import held_port
from tests.stores import Place
from tests.waiting import until

from ..fleet import Fleet, serving


class Tunnel:
    """A port that leads to a store until it is closed; then connections are refused, and the port stays ours."""

    def __init__(self, endpoint: str) -> None:
        host, port = endpoint.removeprefix("http://").split(":")
        self._to = (host, int(port))
        self._held = ExitStack()
        self._port = self._held.enter_context(held_port())
        self._open: list[socket.socket] = []
        self.open()
        self.endpoint = f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def __enter__(self) -> Tunnel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._held.close()

    def close(self) -> None:
        for held in (self._listener, *self._open):
            with suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)
            held.close()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._to)
                self._open += [near, far]
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    def _pump(self, a: socket.socket, b: socket.socket) -> None:
        with suppress(OSError):
            while raw := a.recv(1 << 16):
                b.sendall(raw)
        with suppress(OSError):
            b.shutdown(socket.SHUT_WR)


ROW = {"values": made.rows(1, 9)[0].tolist()}


def test_a_pointer_on_an_object_store_is_followed_by_its_e_tag(s3: Place, tmp_path: Path):
    fleet = Fleet(tmp_path, s3.uri)
    fleet.promote("m", fleet.publish("m", 1))
    new, third = fleet.publish("m", 2), fleet.publish("m", 3)
    with serving(fleet) as server:
        fleet.promote("m", new)
        until(lambda: server.card()["version"] == new.version)
        path = f"m/versions/{third.version}.zip"
        raw = fleet.registry.store.read(path)
        fleet.promote("m", third, "judged")
        event = fleet.registry.channel("m", "judged").current
        fleet.registry.store.put(path, raw[:-7] + b"another")
        fleet.promote_unseen("m", event)
        until(lambda: server.card()["rollout"]["state"] == "failed")
        assert server.ask(ROW).json()["version"] == new.version
        fleet.registry.store.put(path, raw)
        until(lambda: server.card()["version"] == third.version)


def test_a_store_that_cannot_be_reached_harms_no_answer(tmp_path: Path, s3: Place, monkeypatch):
    fleet = Fleet(tmp_path, s3.uri)
    fleet.promote("m", fleet.publish("m", 1))
    with Tunnel(s3.endpoint) as tunnel:
        monkeypatch.setenv("AWS_ENDPOINT_URL", tunnel.endpoint)
        monkeypatch.setenv("AWS_ENDPOINT", tunnel.endpoint)
        with serving(fleet) as server:
            until(lambda: server.card()["rollout"]["state"] == "current")
            tunnel.close()
            until(lambda: server.card()["rollout"]["state"] == "unreachable")
            assert "s3://" in server.card()["rollout"]["reason"]
            assert server.ask(ROW).status_code == 200
            tunnel.open()
            until(lambda: server.card()["rollout"]["state"] == "current")
