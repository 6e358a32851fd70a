"""Who may ask what, by both doors of a real server: keys, tokens, scopes, the audit log."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from typer.testing import CliRunner

from ascribe.cli import app as cli
from ascribe.core.errors import ServiceError
from ascribe.serve.access.auth import check_reach
from ascribe.serve.access.keys import Keys, line, new_key
from ascribe.serve.app import running
from ascribe.serve.settings import Settings
from ascribe.serve.wire import attribution_pb2 as pb
from tests.waiting import until

from .. import paper, tiny
from ..asking import ROW, VECTOR, Doors, bearer, doors
from ..paper import token

ADMIN_TOKEN = "the-admin-token"
RARE = 0.7321986532  # a feature's value that nothing else in a log looks like
NAMES = ("full", "predictor", "explainer", "operator")
GIVEN = {name: new_key() for name in NAMES}
SCOPES = {"full": [], "predictor": ["predict"], "explainer": ["explain"], "operator": ["admin"]}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """A server with keys, tokens and the admin token; at the end its log is searched for every secret."""
    folder = tmp_path_factory.mktemp("asked")
    keys, held = folder / "keys.toml", folder / "jwks.json"
    keys.write_text("\n".join(line(name, GIVEN[name], SCOPES[name]) for name in NAMES))
    held.write_bytes(paper.jwks())
    with doors(
        folder, api_keys=keys, jwks=str(held), jwt_issuer=paper.ISSUER, jwt_audience=paper.AUDIENCE,
        admin_token=ADMIN_TOKEN,
    ) as found:  # fmt: skip
        yield found
        row = {"values": {**tiny.ROW, "busy": RARE}, "measured_w": 100 + RARE}
        for path in ("/v1/predictions", "/v1/attributions"):
            sent = found.http.post(path, json={"feature_vector": [row]}, headers={"x-api-key": GIVEN["full"]})
            assert sent.status_code == 200
        log = b"".join(found.log)
    assert b"audit" in log
    for secret in (*GIVEN.values(), ADMIN_TOKEN, *MADE):
        assert secret.encode() not in log
        assert hashlib.sha256(secret.encode()).hexdigest().encode() not in log
        assert secret.rpartition(".")[2].encode() not in log  # a token's signature
    assert str(RARE)[2:].encode() not in log


MADE: list[str] = []


def made(*arguments: object, **claims: object) -> str:
    """A token whose secret parts must not be logged."""
    text = token(*arguments, **claims)  # type: ignore[arg-type]
    MADE.append(text)
    return text


def test_metrics_are_for_a_key_with_their_scope_or_for_everybody(tmp_path):
    scopes = {"prometheus": ["metrics"], "scheduler": [], "operator": ["admin"]}
    given = {name: new_key() for name in scopes}
    keys = tmp_path / "keys.toml"
    keys.write_text("\n".join(line(name, given[name], scopes[name]) for name in scopes))
    with doors(tmp_path, api_keys=keys, debug_page=True) as asked:
        for path in ("/metrics", "/debug"):
            codes = [asked.http.get(path, headers={"x-api-key": given[name]}).status_code for name in scopes]
            assert codes == [200, 403, 200], path
            assert asked.http.get(path).status_code == 401
        as_bearer = {"authorization": bearer(given["prometheus"])}
        assert b"attribution_requests" in asked.http.get("/metrics", headers=as_bearer).content
        assert asked.http.get("/metrics", headers={"authorization": bearer(new_key())}).status_code == 401
        assert asked.predict(x_api_key=given["prometheus"]) == 403
        assert asked.predict(authorization=bearer(given["scheduler"])) == 200
    (tmp_path / "open").mkdir()
    with doors(tmp_path / "open", api_keys=keys, debug_page=True, metrics_open=True) as asked:
        assert asked.http.get("/metrics").status_code == 200
        assert asked.http.get("/debug").status_code == 401
        assert asked.http.get("/v1/models").status_code == 401


def test_the_command_knows_the_scope_of_metrics():
    made = CliRunner().invoke(cli, ["keys", "new", "prometheus", "--scope", "metrics"])
    assert made.exit_code == 0 and 'scopes = ["metrics"]' in made.stdout
    assert CliRunner().invoke(cli, ["keys", "new", "prometheus", "--scope", "metric"]).exit_code != 0


def test_without_credentials_both_doors_refuse_everything_but_health(asked):
    assert asked.predict() == asked.explain() == 401
    for path in ("/v1/models", "/v1/nodes", "/v1/nodes/a/attribution", "/v1/status", "/v2", "/nowhere", "/metrics"):
        answer = asked.http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "auth"), path
        assert answer.headers["www-authenticate"] == "Bearer"
    assert asked.http.get("/v2/health/ready").json()["ready"] is True
    assert asked.http.get("/v2/health/live").status_code == 200
    health = health_pb2_grpc.HealthStub(asked.channel).Check(health_pb2.HealthCheckRequest())
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    with pytest.raises(grpc.RpcError) as caught:
        list(reflection_pb2_grpc.ServerReflectionStub(asked.channel).ServerReflectionInfo(iter([ask])))
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_a_stream_goes_through_for_who_may_come_in(asked):
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    stub = reflection_pb2_grpc.ServerReflectionStub(asked.channel)
    (answer,) = stub.ServerReflectionInfo(iter([ask]), metadata=[("x-api-key", GIVEN["full"])])
    assert len(answer.list_services_response.service) > 1


def test_a_body_is_not_read_before_its_sender_is_known(asked):
    answer = asked.http.post("/v1/predictions", content=b"{", headers={"content-type": "text/csv"})
    assert answer.status_code == 401


@pytest.mark.parametrize(("name", "predict", "explain"), [("full", 200, 200), ("predictor", 200, 403),
                                                          ("explainer", 403, 200), ("operator", 403, 403)])  # fmt: skip
def test_scopes_of_a_key_hold_at_both_doors(asked, name, predict, explain):
    key = GIVEN[name]
    assert (asked.predict(x_api_key=key), asked.explain(x_api_key=key)) == (predict, explain)
    answer = asked.http.post("/v1/energy", json={"feature_vector": [ROW], "observed": []}, headers={"x-api-key": key})
    assert answer.status_code == explain
    assert asked.http.get("/v1/models", headers={"x-api-key": key}).status_code == 200


def test_admin_calls_need_the_scope_and_are_audited(asked):
    path = f"/v1/admin/models/{tiny.NAME}/refresh"
    for name, status in (("full", 403), ("operator", 200)):
        assert asked.http.post(path, headers={"x-api-key": GIVEN[name]}).status_code == status
    assert asked.http.post(path, headers={"authorization": bearer(ADMIN_TOKEN)}).status_code == 200
    assert asked.http.post(path, headers={"authorization": bearer(made(scope="admin"))}).status_code == 200
    rolled = asked.http.post(path.replace("refresh", "rollback"), headers={"x-api-key": GIVEN["operator"]})
    assert rolled.status_code == 404  # there is none before
    told = [(event["caller"], event["outcome"]) for event in asked.audits("refresh")]
    assert told == [("full", "forbidden"), ("operator", "ok"), ("admin-token", "ok"), ("tess", "ok")]
    (back,) = asked.audits("rollback")
    assert (back["caller"], back["outcome"], back["model"]) == ("operator", "not_found", tiny.NAME)
    assert asked.predict(authorization=bearer(ADMIN_TOKEN)) == 403  # it is for admin calls alone


def test_an_unknown_key_and_a_wrong_one_are_told_the_same(asked):
    wrong = GIVEN["full"][:-1] + ("A" if GIVEN["full"][-1] != "A" else "B")
    told = set()
    for headers in ({}, {"x-api-key": wrong}, {"x-api-key": "nobody"}, {"x-api-key": ""}, {"x-api-key": "é" * 500},
                    {"authorization": bearer("x.y.z")}, {"authorization": "Basic YTpi"}):  # fmt: skip
        raw = {"x-request-id": "same", **{name: value.encode() for name, value in headers.items()}}
        answer = asked.http.post("/v1/predictions", json={"feature_vector": [ROW]}, headers=raw)
        told.add((answer.status_code, answer.content, *sorted(answer.headers)))
    assert len(told) == 1
    assert told.pop()[0] == 401
    assert {event["caller"] for event in asked.audits()} == {"unknown"}
    assert {"no such key", "no credentials"} <= {event["reason"] for event in asked.audits()}
    assert all(event["peer"] and event["asked"] for event in asked.audits())


def test_every_refused_key_is_compared_with_every_key(tmp_path, monkeypatch):
    """Equal work: the same comparisons whichever key is wrong, and where."""
    path, held = tmp_path / "keys.toml", [new_key() for _ in range(20)]
    path.write_text("\n".join(line(f"n{i}", key, []) for i, key in enumerate(held)))
    keys, counts = Keys(path), []
    real = hmac.compare_digest
    monkeypatch.setattr("ascribe.serve.access.keys.hmac.compare_digest", lambda a, b: counts.append(1) or real(a, b))
    for given in (held[0][:-1], held[-1][:-1], "unknown", "", "\ud800"):
        counts.clear()
        assert keys.find(given) is None
        assert len(counts) == len(held)
    counts.clear()
    assert keys.find(held[3]).name == "n3"  # type: ignore[union-attr]
    assert len(counts) == len(held)


@pytest.mark.parametrize(
    ("name", "scopes", "rate", "words"),
    [('bad"name', [], None, "is no name"), ("x", ["metric"], None, "is no scope"), ("x", [], 0.0, "is above 0")],
)
def test_a_key_that_cannot_be_is_told_what_is_wrong_with_it(name, scopes, rate, words):
    with pytest.raises(ServiceError, match=f"^keys new: .*{words}"):
        line(name, new_key(), scopes, rate)


def test_two_keys_of_one_name_are_good_until_one_is_taken_out(tmp_path):
    now, path, told = [0.0], tmp_path / "keys.toml", []
    old, new = new_key(), new_key()
    path.write_text(line("a", old, ["predict"]))
    keys = Keys(path, told.append, lambda: now[0])

    def written(text: str) -> None:
        path.write_text(text)
        os.utime(path, ns=(now_ns(), now_ns()))
        now[0] += 2

    def now_ns() -> int:
        return int(1e18 + now[0] * 1e9)

    assert keys.find(new) is None
    written(line("a", old, ["predict"]) + "\n" + line("a", new, ["predict"], 5.0))
    assert (keys.find(old).name, keys.find(new).name, keys.find(new).rate_per_s) == ("a", "a", 5.0)  # type: ignore
    written("[[key]\n")
    assert keys.find(old)
    assert "cannot be used" in told[0]
    written(line("a", new, ["predict"]))
    assert keys.find(old) is None
    assert keys.find(new)
    path.unlink()
    now[0] += 2
    assert keys.find(new)
    assert len(told) == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no"),
        ("[[key]]\nname = 'a'", "sha256"),
        ("[[key]]\nname = 'a b'\nsha256 = '" + "0" * 64 + "'", "is no name"),
        ("[[key]]\nname = 'a'\nsha256 = 'secret'", "64 digits"),
        ("[[key]]\nname = 'a'\nsha256 = '" + "0" * 64 + "'\nscopes = ['root']", "'root' is no scope"),
        ("[[key]]\nname = 'a'\nsha256 = '" + "0" * 64 + "'\nrate_per_s = -1.0", "above 0"),
        ("[[key]]\nname = 'a'\nkey = 'in the clear'", "unknown field"),
    ],
)
def test_a_file_of_keys_that_cannot_be_used_stops_the_start(tmp_path, text, why):
    path = tmp_path / "keys.toml"
    path.write_text(text)
    with pytest.raises(ServiceError, match=why), running("x", "m", Settings(api_keys=path)):
        pass


def test_the_command_prints_a_key_once_and_lines_that_let_it_in(tmp_path):
    done = CliRunner().invoke(cli, ["keys", "new", "scheduler", "--scope", "predict", "--rate-per-s", "100"])
    assert done.exit_code == 0, done.output
    key, _, lines = done.stdout.partition("\n")
    assert key not in lines
    path = tmp_path / "keys.toml"
    path.write_text(lines)
    caller = Keys(path).find(key)
    assert caller is not None
    assert (caller.name, caller.scopes, caller.rate_per_s) == ("scheduler", {"predict"}, 100.0)
    as_json = tmp_path / "keys.json"
    as_json.write_text(json.dumps({"key": [{"name": "j", "sha256": hashlib.sha256(key.encode()).hexdigest()}]}))
    assert Keys(as_json).find(key).scopes == {"predict", "explain"}  # type: ignore[union-attr]
    refused = CliRunner().invoke(cli, ["keys", "new", "a", "--scope", "root"])
    assert isinstance(refused.exception, ServiceError)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_good_token_of_each_algorithm_comes_in_with_its_scopes(asked, algorithm):
    assert asked.explain(authorization=bearer(made(algorithm))) == 200
    only = bearer(made(algorithm, scope="predict openid"))
    assert (asked.predict(authorization=only), asked.explain(authorization=only)) == (200, 403)
    assert asked.predict(authorization=bearer(made(algorithm, scope=None))) == 403


def now() -> int:
    return int(time.time())


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": now() - 3600}, "ExpiredSignatureError"),
        ({"exp": None}, "MissingRequiredClaimError"),
        ({"nbf": now() + 86400}, "ImmatureSignatureError"),  # from when the tests are collected
        ({"aud": "another"}, "InvalidAudienceError"),
        ({"aud": None}, "MissingRequiredClaimError"),
        ({"iss": "https://else.example"}, "InvalidIssuerError"),
        ({"iss": None}, "MissingRequiredClaimError"),
        ({"sub": None}, "MissingRequiredClaimError"),
        ({"sub": "x" * 500}, "subject"),
        ({"sub": 7}, "InvalidSubjectError|subject"),
        ({"sub": "half a letter \ud800"}, "subject"),
        ({"scope": ["predict"]}, "scope"),
        ({"exp": [now() + 300]}, "DecodeError|TypeError"),
        ({"aud": {"ascribe": 1}}, "InvalidAudienceError"),
        ({"headers": {"kid": "unknown"}}, "unknown key"),
        ({"headers": {"crit": ["x"], "x": 1}}, "that does not hold|another algorithm"),
        ({"key": ec.generate_private_key(ec.SECP256R1())}, "InvalidSignatureError"),
        ({"algorithm": "PS256", "key": paper.KEYS["RS256"], "headers": {"kid": "RS256"}}, "another algorithm"),
        ({"algorithm": "RS256", "headers": {"kid": "ES256"}}, "unknown key"),
    ],
)
def test_a_token_that_does_not_hold_is_refused_for_a_reason_that_only_the_log_has(asked, claims, why):
    before = len(asked.audits())
    text = made(**claims)
    answer = asked.posted(authorization=bearer(text))
    assert answer.status_code == 401
    assert set(answer.json()["detail"].split()) & {"expired", "audience", "issuer", "signature", "key,"} == set()
    assert asked.called("GetPrediction", pb.PredictionRequest(feature_vector=[VECTOR]), authorization=bearer(text)) == (
        grpc.StatusCode.UNAUTHENTICATED
    )
    (by_http, by_grpc) = asked.audits()[before:]
    assert by_http["reason"] == by_grpc["reason"]
    assert any(part in by_http["reason"] for part in why.split("|"))


def test_a_token_longer_than_any_is_not_looked_into(asked):
    assert asked.posted(authorization=bearer(made(pad="x" * 9000))).status_code == 401
    assert asked.audits()[-1]["reason"] == "a token too long"


def _part(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "HS512", "", 7, None, ["RS256"], {"RS256": 1}])
@pytest.mark.parametrize("kid", ["RS256", "ES256"])
def test_no_unsigned_token_and_none_signed_with_a_public_key_comes_in(asked, algorithm, kid):
    """The two classical forgeries: `alg: none`, and an HMAC whose secret is a public key that everybody knows."""
    claims = {"iss": paper.ISSUER, "aud": paper.AUDIENCE, "sub": "eve", "exp": now() + 300, "scope": "admin"}
    body = f"{_part({'alg': algorithm, 'kid': kid, 'typ': 'JWT'})}.{_part(claims)}"
    public = paper.KEYS[kid].public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    secrets = [b"", public.public_bytes(serialization.Encoding.PEM, form),
               public.public_bytes(serialization.Encoding.DER, form)]  # fmt: skip
    for secret in secrets:
        mac = (
            hmac.new(secret, body.encode(), "sha512" if algorithm == "HS512" else "sha256").digest() if secret else b""
        )
        text = f"{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
        told = len(asked.audits())
        assert asked.predict(authorization=bearer(text)) == 401
        assert len(asked.audits()) == told + 2  # by either door


def test_a_token_never_says_where_its_key_is(asked):
    own = ec.generate_private_key(ec.SECP256R1())
    with _jwks_server([paper.jwks({"ES256": own})]) as (url, hits):
        for header in ({"jku": url}, {"x5u": url}, {"jwk": paper.public(own, "ES256", "ES256")}):
            assert asked.predict(authorization=bearer(made("ES256", own, header))) == 401
    assert hits == []


class _jwks_server:  # noqa: N801
    """Answers with whatever is the first of `bodies`; None: 500."""

    def __init__(self, bodies: list[bytes | None]) -> None:
        hits: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hits.append(self.path)
                self.send_response(200 if bodies[0] else 500)
                self.end_headers()
                self.wfile.write(bodies[0] or b"")

            def log_message(self, *_: object) -> None:
                pass

        self._server, self.hits = ThreadingHTTPServer(("127.0.0.1", 0), Handler), hits

    def __enter__(self) -> tuple[str, list[str]]:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}/jwks", self.hits

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_keys_from_a_url_rotate_and_outlive_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr("ascribe.serve.access.tokens.AGAIN_S", 0.0)
    bodies: list[bytes | None] = [None]
    new = rsa.generate_private_key(65537, 2048)
    with (
        _jwks_server(bodies) as (url, hits),
        doors(tmp_path, jwks=url, jwt_issuer=paper.ISSUER, jwt_audience=paper.AUDIENCE, jwks_fresh_s=0.05) as asked,
    ):
        good, newer = bearer(token("RS256")), bearer(token("RS256", new, {"kid": "new"}))
        assert asked.predict(authorization=good) == 503  # never had any: not the caller's fault
        assert asked.predict(authorization=bearer(token("HS256", b"x" * 32))) == 401
        bodies[0] = paper.jwks()
        assert asked.predict(authorization=good) == 200
        assert asked.predict(authorization=newer) == 401
        bodies[0] = None
        time.sleep(0.1)
        seen = len(hits)
        assert [asked.predict(authorization=good) for _ in range(3)] == [200] * 3  # stale, and the source is down
        until(lambda: len(hits) > seen)  # in the background: nobody waited for it
        bodies[0] = json.dumps({"keys": [paper.public(new, "RS256", "new")]}).encode()
        assert asked.predict(authorization=newer) == 200
        assert asked.predict(authorization=good) == 401
        assert any(b"jwks_not_read" in line for line in asked.log)


def test_many_tokens_of_unknown_keys_ask_for_keys_once(tmp_path):
    with (
        _jwks_server([paper.jwks()]) as (url, hits),
        doors(tmp_path, jwks=url, jwt_issuer=paper.ISSUER, jwt_audience=paper.AUDIENCE) as asked,
    ):
        for k in range(5):
            assert asked.predict(authorization=bearer(token("RS256", headers={"kid": f"k{k}"}))) == 401
        assert len(hits) == 1


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"jwks": "http://keys.example/jwks", "jwt_issuer": "i", "jwt_audience": "a"}, "use https"),
        ({"jwks": "nowhere.json", "jwt_issuer": "i", "jwt_audience": "a"}, "nowhere.json cannot be used"),
        ({"jwks": "nowhere.json"}, "ASCRIBE_JWT_ISSUER"),
    ],
)
def test_settings_of_tokens_that_cannot_be_used_stop_the_start(settings, why):
    with pytest.raises(ServiceError, match=why), running("x", "m", Settings(**settings)):
        pass


def test_keys_too_weak_or_private_are_passed_over(tmp_path):
    weak, path = rsa.generate_private_key(65537, 1024), tmp_path / "jwks.json"
    private = {**paper.public(paper.KEYS["ES256"], "ES256", "p"), "d": "AAAA"}
    shared = {"kty": "oct", "k": "c2VjcmV0", "kid": "o", "alg": "HS256"}
    path.write_text(json.dumps({"keys": [paper.public(weak, "RS256", "w"), private, shared, "no key", {}]}))
    with pytest.raises(ServiceError, match="has no RSA"), running("x", "m", _tokens(path)):
        pass


def _tokens(path: Path) -> Settings:
    return Settings(jwks=str(path), jwt_issuer="i", jwt_audience="a")


@pytest.mark.parametrize("flag", ["http", "grpc"])
@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1"])
def test_a_server_that_others_reach_does_not_start_without_asking_who_they_are(flag, host):
    with pytest.raises(ServiceError, match="ASCRIBE_ALLOW_ANONYMOUS"), running("x", "m", **{flag: f"{host}:0"}):
        pass


def test_loopback_or_a_word_of_the_operator_or_credentials_let_it_start(tmp_path):
    check_reach(("127.0.0.1", "localhost", "::1"), Settings())
    for settings in (Settings(allow_anonymous=True), Settings(api_keys=tmp_path), Settings(jwks="x"),
                     Settings(client_ca=tmp_path)):  # fmt: skip
        check_reach(("0.0.0.0", "::"), settings)
    with pytest.raises(ServiceError):
        check_reach(("0.0.0.0",), Settings(admin_token="x"))  # which says nothing of predictions


def test_a_server_without_credentials_asks_for_none(served):
    assert served.http.get("/v1/models", headers={"x-api-key": "whatever"}).status_code == 200
