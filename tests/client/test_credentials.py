"""The client shows keys, tokens and certificates to a server that checks them, and sees what is its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ascribe.client import Client, Tls
from ascribe.core.errors import NotFound, ServiceError
from ascribe.serve.access.keys import line, new_key
from ascribe.serve.app import Addresses, running
from ascribe.serve.faults import ForbiddenError, UnknownCallerError
from ascribe.serve.settings import Settings
from tests.serve import paper, tiny

KEYS = {name: new_key() for name in ("one", "two", "predictor")}
SCHEMES = ("https", "grpcs")


@dataclass(frozen=True)
class Guarded:
    at: Addresses
    tls: Tls

    def client(self, scheme: str, **options: object) -> Client:
        address = self.at.http.removeprefix("https://") if scheme == "https" else self.at.grpc
        return Client(f"{scheme}://{address}", tls=self.tls, timeout=20, **options)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder: Path = tmp_path_factory.mktemp("guarded")
    authority = paper.Authority(folder, "servers")
    own = authority.issue("server", "localhost", paper.LOCAL)
    keys, tokens = folder / "keys.toml", folder / "jwks.json"
    keys.write_text("\n".join(line(name, key, ["predict"] * (name == "predictor")) for name, key in KEYS.items()))
    tokens.write_bytes(paper.jwks())
    settings = Settings(
        tls_cert=own.cert, tls_key=own.key, api_keys=keys, jwks=str(tokens), jwt_issuer=paper.ISSUER,
        jwt_audience=paper.AUDIENCE,
    )  # fmt: skip
    registry, _ = tiny.publish(folder)
    with running(registry, tiny.NAME, settings, write=lambda line: None) as at:
        yield Guarded(at, Tls(ca=authority.pair.cert))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_key_and_a_token_let_the_client_in(guarded, scheme):
    for papers in ({"api_key": KEYS["one"]}, {"token": paper.token()}):
        with guarded.client(scheme, **papers) as client:
            assert client.explain(tiny.ROW, tier="exact").attributions[0].status == "ok"
            assert [one.index for one in client.stream([tiny.ROW], tier="exact")] == [0]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_wrong_key_none_and_a_missing_scope_are_refused_for_what_they_are(guarded, scheme):
    for papers in ({}, {"api_key": "wrong"}, {"token": paper.token(exp=1)}):
        with guarded.client(scheme, **papers) as client, pytest.raises(UnknownCallerError):
            client.predict(tiny.ROW)
    with guarded.client(scheme, api_key=KEYS["predictor"]) as client:
        assert client.predict(tiny.ROW).predictions[0].status == "ok"
        for ask in (
            lambda: client.explain(tiny.ROW),
            lambda: client.submit(tiny.ROW),
            lambda: client.predict(tiny.ROW, explain="later"),
        ):
            with pytest.raises(ForbiddenError, match="scope 'explain'"):
                ask()
        (chunk,) = client.stream([tiny.ROW])
        assert isinstance(chunk.error, ForbiddenError)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_jobs_and_late_attributions_are_their_callers_own(guarded, scheme):
    with guarded.client(scheme, api_key=KEYS["one"]) as one, guarded.client(scheme, api_key=KEYS["two"]) as two:
        job = one.submit([tiny.ROW], tier="exact").id
        late = one.predict(tiny.ROW, explain="later").attribution_id
        assert one.wait(job, 20, 0.02).state == "done" and one.attribution(late, 10) is not None
        for ask in (
            lambda: two.job(job),
            lambda: two.result(job),
            lambda: two.cancel(job),
            lambda: two.attribution(late),
        ):
            with pytest.raises(NotFound):
                ask()
        assert len(one.result(job).attributions) == 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_server_that_the_client_does_not_trust_is_not_asked(guarded, scheme, tmp_path):
    other = Guarded(guarded.at, Tls(ca=paper.Authority(tmp_path, "others").pair.cert))
    with other.client(scheme, api_key=KEYS["one"], tries=1) as client, pytest.raises(ServiceError):
        client.predict(tiny.ROW)
