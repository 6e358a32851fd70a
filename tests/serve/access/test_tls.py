"""TLS and mutual TLS on both doors, with real certificates."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import msgspec
import pytest
from cryptography import x509

from ascribe.core.errors import ServiceError
from ascribe.serve.app import Addresses, running
from ascribe.serve.settings import Settings
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub

from .. import tiny
from ..asking import ROW, VECTOR
from ..paper import LOCAL, Authority, Pair

SPIFFE = "spiffe://cluster/ns/energy/sa/scheduler"


class Papers:
    """An authority of servers, one of clients, and one that nobody trusts."""

    def __init__(self, folder: Path) -> None:
        self.servers, self.clients, self.others = (Authority(folder, n) for n in ("servers", "clients", "others"))
        self.server = self.servers.issue("server", "localhost", LOCAL)
        names = (x509.DNSName("scheduler.energy"), x509.UniformResourceIdentifier(SPIFFE))
        self.good = self.clients.issue("good", "ignored", names)
        self.plain = self.clients.issue("plain", "meter-7")
        self.nameless = self.clients.issue("nameless", "")
        self.stranger = self.others.issue("stranger", "meter-7")
        self.expired = self.clients.issue("expired", "meter-7", until=timedelta(hours=-1))


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


class Secured:
    def __init__(self, at: Addresses, papers: Papers, log: list[bytes]) -> None:
        self.at, self.papers, self.log = at, papers, log

    def by_http(self, pair: Pair | None = None, path: str = "/v1/predictions", **more: Any) -> httpx.Response:
        context = ssl.create_default_context(cafile=str(self.papers.servers.pair.cert))
        if pair:
            context.load_cert_chain(*pair.files)
        with httpx.Client(verify=context) as http:
            return http.post(self.at.http + path, json={"feature_vector": [ROW]}, **more)

    def by_grpc(self, pair: Pair | None = None, **metadata: str) -> grpc.StatusCode:
        root = self.papers.servers.pair.cert.read_bytes()
        own = (pair.key.read_bytes(), pair.cert.read_bytes()) if pair else (None, None)
        credentials = grpc.ssl_channel_credentials(root, *own)
        with grpc.secure_channel(self.at.grpc, credentials) as channel:
            try:
                asked = pb.PredictionRequest(feature_vector=[VECTOR])
                AttributionServiceStub(channel).GetPrediction(asked, timeout=60, metadata=list(metadata.items()))
            except grpc.RpcError as exc:
                return exc.code()
            return grpc.StatusCode.OK


@contextmanager
def secured(papers: Papers, folder: Path, **settings: Any) -> Iterator[Secured]:
    registry, _ = tiny.publish(folder)
    log: list[bytes] = []
    chosen = Settings(tls_cert=papers.server.cert, tls_key=papers.server.key, **settings)
    with running(registry, tiny.NAME, chosen, write=log.append) as at:
        yield Secured(at, papers, log)


@pytest.fixture(scope="module")
def mutual(papers: Papers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Certificates may predict, and call admin verbs, but not explain."""
    folder = tmp_path_factory.mktemp("mutual")
    with secured(papers, folder, client_ca=papers.clients.pair.cert, cert_scopes="predict,admin") as server:
        yield server


def test_both_doors_speak_tls_and_nothing_else(papers, tmp_path):
    with secured(papers, tmp_path) as server:
        assert server.at.http.startswith("https://")
        assert server.by_http().status_code == 200
        assert server.by_grpc() == grpc.StatusCode.OK
        with pytest.raises(httpx.TransportError):
            httpx.get(server.at.http.replace("https", "http") + "/v2/health/live")
        with grpc.insecure_channel(server.at.grpc) as channel, pytest.raises(grpc.RpcError) as caught:
            AttributionServiceStub(channel).GetPrediction(pb.PredictionRequest(feature_vector=[VECTOR]), timeout=5)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_begins_at_1_2_on_both_doors(papers, mutual, version):
    for place in (mutual.at.http.removeprefix("https://"), mutual.at.grpc):
        host, _, port = place.rpartition(":")
        context = ssl.create_default_context(cafile=str(papers.servers.pair.cert))
        context.load_cert_chain(*papers.good.files)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.minimum_version = context.maximum_version = version
        with socket.create_connection((host, int(port)), timeout=60) as raw:
            if version == ssl.TLSVersion.TLSv1_1:
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    context.wrap_socket(raw, server_hostname="localhost")
            else:
                with context.wrap_socket(raw, server_hostname="localhost") as tls:
                    assert tls.version() == version.name.replace("_", ".")


@pytest.mark.parametrize("who", ["none", "stranger", "expired"])
def test_without_a_certificate_that_the_authority_signed_there_is_no_connection(mutual, papers, who):
    pair = None if who == "none" else getattr(papers, who)
    with pytest.raises(httpx.TransportError):
        mutual.by_http(pair)
    assert mutual.by_grpc(pair) == grpc.StatusCode.UNAVAILABLE
    refused = [msgspec.json.decode(line) for line in mutual.log if b'"login"' in line][-1]
    assert (refused["caller"], refused["outcome"]) == ("unknown", "auth")
    why = {"none": "none was shown", "stranger": "unable to get local issuer", "expired": "has expired"}[who]
    assert why in refused["reason"]


def test_a_certificate_names_its_caller_by_both_doors(mutual, papers):
    for pair, name in ((papers.good, SPIFFE), (papers.plain, "meter-7")):
        assert mutual.by_http(pair).status_code == 200
        assert mutual.by_grpc(pair) == grpc.StatusCode.OK
        assert mutual.by_http(pair, "/v1/attributions").status_code == 403
        assert mutual.by_http(pair, f"/v1/admin/models/{tiny.NAME}/refresh").status_code == 200
        told = [msgspec.json.decode(line) for line in mutual.log if b'"audit"' in line]
        assert told[-1]["caller"] == name


def test_a_certificate_without_a_name_names_nobody(mutual, papers):
    assert mutual.by_http(papers.nameless).status_code == 401
    assert mutual.by_grpc(papers.nameless) == grpc.StatusCode.UNAUTHENTICATED


def test_a_wrong_token_is_not_made_up_for_by_a_certificate(mutual, papers):
    assert mutual.by_http(papers.good, headers={"authorization": "Bearer x"}).status_code == 401
    assert mutual.by_grpc(papers.good, **{"x-api-key": "x"}) == grpc.StatusCode.UNAUTHENTICATED


def serial(place: str, authority: Path) -> int:
    """Of the certificate that a door shows."""
    host, _, port = place.rpartition(":")
    context = ssl.create_default_context(cafile=str(authority))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection((host, int(port)), timeout=60) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        shown = tls.getpeercert(binary_form=True)
    assert shown
    return x509.load_der_x509_certificate(shown).serial_number


def test_a_certificate_that_was_replaced_is_shown_without_a_restart(papers, tmp_path):
    old, new = (papers.servers.issue(name, "localhost", LOCAL) for name in ("first", "second"))
    cert, key, root = tmp_path / "tls.crt", tmp_path / "tls.key", papers.servers.pair.cert

    def place(pair: Pair) -> None:
        cert.write_bytes(pair.cert.read_bytes())
        key.write_bytes(pair.key.read_bytes())

    place(old)
    registry, _ = tiny.publish(tmp_path)
    log: list[bytes] = []
    with running(registry, tiny.NAME, Settings(tls_cert=cert, tls_key=key), write=log.append) as at:
        both = (at.http.removeprefix("https://"), at.grpc)
        first = {serial(where, root) for where in both}
        cert.write_text("half written")
        assert {serial(where, root) for where in both for _ in range(2)} == first
        assert any(b"certificates_not_read" in line for line in log)
        place(new)
        for where in both:
            serial(where, root)  # this handshake may have begun with the one before
            assert serial(where, root) not in first


def test_files_that_cannot_be_used_stop_the_start_with_a_reason(papers, tmp_path):
    cert, key = papers.server.files
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    for settings, why in (
        ({"tls_cert": cert}, "go together"),
        ({"tls_key": key}, "go together"),
        ({"client_ca": cert}, "needs ASCRIBE_TLS_CERT"),
        ({"tls_cert": cert, "tls_key": papers.good.key}, "its own key"),
        ({"tls_cert": tmp_path / "absent", "tls_key": key}, "cannot be used"),
        ({"tls_cert": nothing, "tls_key": key}, "cannot be used"),
        ({"tls_cert": cert, "tls_key": key, "client_ca": nothing}, "ASCRIBE_CLIENT_CA"),
    ):
        with pytest.raises(ServiceError, match=why), running("x", "m", Settings(**settings)):
            pass
