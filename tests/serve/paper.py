"""Certificates, keys of tokens and tokens, made on the spot."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

ISSUER, AUDIENCE = "https://issuer.example", "ascribe"
DAY = timedelta(days=1)
LOCAL = (x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")))


@dataclass(frozen=True)
class Pair:
    """Files of a certificate and its key."""

    cert: Path
    key: Path

    @property
    def files(self) -> tuple[str, str]:
        return str(self.cert), str(self.key)


class Authority:
    """Signs certificates; `pair.cert` is its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self._built(self._name, self._key, x509.BasicConstraints(True, None))
        self.pair = self._written(name, own, self._key)

    def issue(
        self, file: str, common: str, names: tuple[Any, ...] = (), since: timedelta = -DAY, until: timedelta = DAY
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else [])
        more = [x509.SubjectAlternativeName(names)] if names else []
        cert = self._built(subject, key, x509.BasicConstraints(False, None), *more, since=since, until=until)
        return self._written(file, cert, key)

    def _built(self, subject: Any, key: Any, *extensions: Any, since: timedelta = -DAY, until: timedelta = DAY) -> Any:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            self._name, subject, key.public_key(), x509.random_serial_number(), now + since, now + until
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self._key, hashes.SHA256())

    def _written(self, file: str, cert: Any, key: Any) -> Pair:
        pair = Pair(self._folder / f"{file}.pem", self._folder / f"{file}.key")
        pair.cert.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(pem(key))
        return pair


def pem(key: Any) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


KEYS = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def public(key: Any, algorithm: str, kid: str) -> dict[str, Any]:
    held = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**held, "kid": kid, "use": "sig"}


def jwks(keys: dict[str, Any] | None = None) -> bytes:
    """Keys by algorithm, each with its algorithm as id."""
    return json.dumps({"keys": [public(key, name, name) for name, key in (keys or KEYS).items()]}).encode()


def token(algorithm: str = "ES256", key: Any = None, headers: dict[str, Any] | None = None, **claims: Any) -> str:
    """A good one, but for `claims`: None leaves one out."""
    now = int(time.time())
    held = {"iss": ISSUER, "aud": AUDIENCE, "sub": "tess", "exp": now + 300, "scope": "predict explain", **claims}
    held = {name: value for name, value in held.items() if value is not None}
    return jwt.encode(held, key or KEYS[algorithm], algorithm, {"kid": algorithm, **(headers or {})})
