"""JSON web tokens, checked against keys that the operator names; nothing in a token says where its key is.

RS256, ES256 and EdDSA only, each with keys of its own kind, so that a public key never becomes an HMAC secret (the
algorithm confusion of RFC 8725, section 2.1). `aud`, `iss`, `exp` and `sub` must be there; `nbf` and `iat` hold where
they are. Scopes: the claim `scope`, words with spaces.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt

from ascribe.core.errors import ServiceError
from ascribe.serve.access.callers import SCOPES, Caller
from ascribe.serve.faults import UnavailableError, UnknownCallerError

__all__ = ["ALGORITHMS", "Jwks", "Tokens"]

ALGORITHMS = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}  # and the kind of key (kty) that each may use
LONGEST = 8192  # characters of a token
LONGEST_NAME = 128
LEAST_RSA_BITS = 2048
AGAIN_S = 10.0  # between attempts to have the keys, however many tokens ask
FETCH_S = 5.0
MOST_BYTES = 1 << 20
LOCAL = ("127.0.0.1", "::1", "localhost")


class Jwks:
    """Public keys by id, from a file or an https URL. Asked for again after `fresh_s`, in the background; used for
    `stale_s` at most while they cannot be had. `told` hears why not. Raises ServiceError for a source that cannot be
    used; a URL may be out of reach at the start.
    """

    def __init__(
        self, source: str, fresh_s: float, stale_s: float, told: Callable[[str], object] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._source, self._fresh_s, self._stale_s, self._told, self._clock = source, fresh_s, stale_s, told, clock
        self._keys: list[jwt.PyJWK] = []
        self._at_s = self._tried_s = float("-inf")
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        place = urlsplit(source)
        self._remote = place.scheme in ("http", "https")
        self._name = (
            f"{place.scheme}://{place.hostname}{place.path}" if self._remote else source
        )  # no password, no query
        if place.scheme == "http" and place.hostname not in LOCAL:
            raise ServiceError(f"ASCRIBE_JWKS: {self._name} could be read and changed on its way: use https")
        if not self._remote:
            try:
                self._keys, self._at_s = self._read(), clock()
            except (OSError, ValueError) as exc:
                raise ServiceError(
                    f"ASCRIBE_JWKS: {source} cannot be used ({exc}): name a file or an https URL"
                ) from exc

    async def key(self, kid: object, algorithm: str) -> jwt.PyJWK:
        """The key that a token names, or the only one of its kind. Raises UnknownCallerError, UnavailableError."""
        age_s = self._clock() - self._at_s
        if age_s > self._stale_s or not self._keys:
            await self._renew()
            if not self._keys or self._clock() - self._at_s > self._stale_s:
                raise UnavailableError("the keys of tokens cannot be had: try again")
        elif age_s > self._fresh_s and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._renew())
        if found := self._find(kid, algorithm):
            return found
        await self._renew()  # a key may be newer than what is held
        if found := self._find(kid, algorithm):
            return found
        raise UnknownCallerError("a token of an unknown key")

    def _find(self, kid: object, algorithm: str) -> jwt.PyJWK | None:
        fit = [key for key in self._keys if key.key_type == ALGORITHMS[algorithm] and kid in (None, key.key_id)]
        return fit[0] if len(fit) == 1 else None

    async def _renew(self) -> None:
        async with self._lock:
            if self._clock() - self._tried_s < AGAIN_S:
                return
            self._tried_s = self._clock()
            try:
                self._keys, self._at_s = await asyncio.to_thread(self._read), self._clock()
            except (OSError, ValueError) as exc:
                self._told(f"{self._name} cannot be used: {str(exc)[:200]}")

    def _read(self) -> list[jwt.PyJWK]:
        """Raises OSError, ValueError."""
        held = json.loads(self._fetched() if self._remote else Path(self._source).read_bytes())
        entries = held.get("keys") if isinstance(held, dict) else None
        keys = [key for entry in entries or () if (key := _usable(entry))]
        if not keys:
            raise ValueError("it has no RSA (2048 bits or more), EC P-256 or Ed25519 key for signatures")
        return keys

    def _fetched(self) -> bytes:
        with urllib.request.build_opener(_NoRedirect).open(self._source, timeout=FETCH_S) as answer:
            raw: bytes = answer.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES} bytes")
        return raw


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _usable(entry: Any) -> jwt.PyJWK | None:
    """A key for signatures of one of our algorithms; others are passed over, as RFC 7517 wants."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or "d" in entry or "k" in entry:
        return None
    algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}.get(str(entry.get("kty")))
    if (
        algorithm is None
        or entry.get("alg", algorithm) != algorithm
        or entry.get("crv") not in (None, "P-256", "Ed25519")
    ):
        return None
    try:
        key = jwt.PyJWK.from_dict(entry, algorithm)
    except jwt.PyJWTError:
        return None
    return key if algorithm != "RS256" or key.key.key_size >= LEAST_RSA_BITS else None


class Tokens:
    """Callers by their tokens, of one issuer, for one audience. `leeway_s`: by how much clocks may differ."""

    def __init__(self, jwks: Jwks, issuer: str, audience: str, leeway_s: float) -> None:
        self._jwks, self._issuer, self._audience, self._leeway_s = jwks, issuer, audience, leeway_s

    async def caller(self, token: str) -> Caller:
        """Raises UnknownCallerError, UnavailableError."""
        if len(token) > LONGEST:
            raise UnknownCallerError("a token too long")
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or "crit" in header:
                raise UnknownCallerError("a token of another algorithm")
            key = await self._jwks.key(header.get("kid"), algorithm)
            claims = jwt.decode(
                token, key, algorithms=[algorithm], audience=self._audience, issuer=self._issuer,
                leeway=self._leeway_s, options={"require": ["exp", "aud", "iss", "sub"]},
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as exc:
            raise UnknownCallerError(f"a token that does not hold: {type(exc).__name__}") from exc
        subject, scope = claims["sub"], claims.get("scope", "")
        if not (isinstance(subject, str) and 0 < len(subject) <= LONGEST_NAME and subject.isprintable()):
            raise UnknownCallerError("a token whose subject is no text that a log can hold")
        if not isinstance(scope, str):
            raise UnknownCallerError("a token whose scope is no text")
        return Caller(subject, frozenset(scope.split()) & frozenset(SCOPES))
