"""A detached signature over a published version: ed25519 over what it is called and the hash of its bytes.

message = "ascribe bundle" LF name LF version LF sha256 of the archive

Whoever holds only the public key knows by it who published a version, whatever the store does. A signature is no
expiry: an older version that was signed too can still be put in a channel's place.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ascribe.core.errors import InputError, TamperedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

__all__ = ["Signature", "public_key", "sign", "verify", "write_key_pair"]

PRIVATE = 0o600


class Signature(msgspec.Struct, frozen=True):
    """`sha256`: of the archive, in hex; `signature`: base64."""

    algorithm: str
    sha256: str
    signature: str


def write_key_pair(place: Path) -> Path:
    """Write a new private key (PEM, readable by its owner only) and `.pub` beside it; returns the latter's place.

    Raises InputError if either file exists or cannot be written.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key, public = Ed25519PrivateKey.generate(), place.with_suffix(".pub")
    if public.exists() or place == public:
        raise InputError(f"{public} would be overwritten: name another file, such as release.pem")
    secret = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    try:
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "wb") as out:
            out.write(secret)
        public.write_bytes(key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo))
    except OSError as exc:
        raise InputError(
            f"{place} cannot be written ({exc.strerror}): name a new file in a folder that exists"
        ) from exc
    return public


def public_key(place: Path) -> Ed25519PublicKey:
    """Raises InputError for a file that holds no ed25519 public key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_read(place))
    except ValueError as exc:
        raise InputError(f"{place} holds no public key: `ascribe registry key NEW.pem` writes one to NEW.pub") from exc
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{place} is no ed25519 key: `ascribe registry key NEW.pem` makes one")
    return key


def sign(place: Path, name: str, version: str, sha256: str) -> bytes:
    """The signature file of a version, by the private key at a place. Raises InputError for another kind of file."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_read(place), None)
    except (ValueError, TypeError) as exc:
        raise InputError(f"{place} holds no private key without a pass phrase: `ascribe registry key NEW.pem`") from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{place} is no ed25519 key: `ascribe registry key NEW.pem` makes one")
    made = base64.b64encode(key.sign(_message(name, version, sha256))).decode()
    return msgspec.json.encode(Signature("ed25519", sha256, made))


def verify(key: Ed25519PublicKey, raw: bytes, name: str, version: str, sha256: str) -> None:
    """Raises TamperedError unless `raw` is this key's signature of exactly this version and archive."""
    from cryptography.exceptions import InvalidSignature

    try:
        held = msgspec.json.decode(raw, type=Signature)
        key.verify(base64.b64decode(held.signature, validate=True), _message(name, version, sha256))
    except (ValueError, InvalidSignature) as exc:  # no record, no base64, or no text at all
        raise TamperedError(
            f"version {version} of {name} is not signed by the key that is trusted here: "
            "publish it again with --sign-key, or check --verify-key"
        ) from exc


def _message(name: str, version: str, sha256: str) -> bytes:
    return "\n".join(("ascribe bundle", name, version, sha256)).encode()


def _read(place: Path) -> bytes:
    try:
        return place.read_bytes()
    except OSError as exc:
        raise InputError(f"key {place} cannot be read ({exc.strerror}): name a PEM file") from exc
