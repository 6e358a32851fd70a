"""API keys: a file of hashes, several of one name while a key is being replaced, read again when it changes.

    [[key]]
    name = "scheduler"
    sha256 = "9f86..."                # of the key; the key itself is kept nowhere
    scopes = ["predict", "explain"]   # these where left out
    rate_per_s = 2000.0               # rows a second; left out: the server's setting

A key is 32 random bytes, so one round of SHA-256 is enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from ascribe.core.errors import ServiceError
from ascribe.core.words import quoted
from ascribe.serve.access.callers import SCOPES, Caller

__all__ = ["PREFIX", "Keys", "line", "new_key"]

BYTES = 32
PREFIX = "asc_"
AGAIN_S = 1.0  # between looks whether the file changed
NAME = re.compile(r"[A-Za-z0-9._:@/-]{1,128}")
DIGEST = re.compile(r"[0-9a-f]{64}")


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    sha256: str
    scopes: list[str] = msgspec.field(default_factory=lambda: ["predict", "explain"])
    rate_per_s: float | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    key: list[_Entry] = []


def new_key() -> str:
    """A fresh key: `asc_` and 32 random bytes, so that scanners of repositories find one that was left there."""
    return PREFIX + secrets.token_urlsafe(BYTES)


def line(name: str, key: str, scopes: list[str], rate_per_s: float | None = None) -> str:
    """What goes into the file for a key. Raises ServiceError for a name, scope or rate that cannot be used."""
    entry = _Entry(name, _digest(key).hex(), scopes or ["predict", "explain"], rate_per_s)
    _checked(entry, "keys new")
    told = ", ".join(f'"{scope}"' for scope in entry.scopes)
    rate = "" if rate_per_s is None else f"rate_per_s = {float(rate_per_s)}\n"
    return f'[[key]]\nname = "{name}"\nsha256 = "{entry.sha256}"\nscopes = [{told}]\n{rate}'


class Keys:
    """The keys of a TOML file, or of JSON with the same names. `told` hears why a changed file was not taken.

    Raises ServiceError at the start for a file that cannot be used; later, the keys before stay good.
    """

    def __init__(
        self, path: Path, told: Callable[[str], object] = lambda _: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path, self._told, self._clock = path, told, clock
        self._seen, self._looked_s = self._stamp(), clock()
        self._held = _read(path)

    def find(self, given: str) -> Caller | None:
        """Whose key this is. The same work for every key that is not there: all digests are compared."""
        self._renew()
        digest, found = _digest(given), None
        for held, caller in self._held:
            if hmac.compare_digest(held, digest):
                found = caller
        return found

    def _renew(self) -> None:
        if self._clock() - self._looked_s < AGAIN_S:
            return
        self._looked_s = self._clock()
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._held = _read(self._path)
        except ServiceError as exc:
            self._told(str(exc))

    def _stamp(self) -> tuple[int, int, int]:
        try:
            held = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return (held.st_mtime_ns, held.st_size, held.st_ino)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _read(path: Path) -> list[tuple[bytes, Caller]]:
    decode = msgspec.json.decode if path.suffix == ".json" else msgspec.toml.decode
    try:
        held = decode(path.read_bytes(), type=_File)
    except (OSError, ValueError) as exc:  # msgspec's and tomllib's errors are ValueErrors
        why = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise ServiceError(
            f"ASCRIBE_API_KEYS: {path} cannot be used ({why}): `ascribe keys new` shows the form"
        ) from exc
    if not held.key:
        raise ServiceError(f"ASCRIBE_API_KEYS: {path} has no [[key]]: `ascribe keys new NAME` prints one")
    return [_checked(entry, str(path)) for entry in held.key]


def _checked(entry: _Entry, where: str) -> tuple[bytes, Caller]:
    if not NAME.fullmatch(entry.name):
        raise ServiceError(f"{where}: {quoted(entry.name, 64)} is no name: use letters, digits and . _ : @ / -")
    if not DIGEST.fullmatch(entry.sha256):
        raise ServiceError(
            f"{where}: sha256 of '{entry.name}' is not 64 digits of 0-9 a-f: `ascribe keys new` prints it"
        )
    if unknown := [scope for scope in entry.scopes if scope not in SCOPES]:
        raise ServiceError(f"{where}: {quoted(unknown[0], 40)} is no scope: use {', '.join(SCOPES)}")
    if entry.rate_per_s is not None and not entry.rate_per_s > 0:
        raise ServiceError(f"{where}: rate_per_s of '{entry.name}' is above 0, in rows a second")
    return bytes.fromhex(entry.sha256), Caller(entry.name, frozenset(entry.scopes), entry.rate_per_s)
