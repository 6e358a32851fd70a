"""Who asks, and may they: the one place that both doors send their callers through.

    X-API-Key (x-api-key)          a key of ASCRIBE_API_KEYS; as a Bearer token too, for who can set no other header
    Authorization: Bearer TOKEN    the admin token, or a JSON web token of ASCRIBE_JWKS
    a client certificate           signed by ASCRIBE_CLIENT_CA

What a caller shows must be good: a wrong key is not made up for by a certificate. With none of the three configured
everybody is ANYBODY, which a server that others can reach refuses to start with.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Iterable, Mapping

from ascribe.core.errors import NotFound, ServiceError
from ascribe.serve.access.callers import ANYBODY, Caller, current
from ascribe.serve.access.keys import PREFIX, Keys
from ascribe.serve.access.tokens import Jwks, Tokens
from ascribe.serve.faults import ForbiddenError, UnknownCallerError
from ascribe.serve.observe.log import Log
from ascribe.serve.settings import Settings

__all__ = ["Auth", "check_reach", "configured", "opened", "require", "require_admin", "require_watcher"]

ADMIN = "admin-token"


class Auth:
    """Callers by what they show. Raises UnknownCallerError with one text for all reasons; `why` is for the log."""

    def __init__(
        self, keys: Keys | None = None, tokens: Tokens | None = None, certified: frozenset[str] | None = None,
        admin_token: str = "",
    ) -> None:  # fmt: skip
        self._keys, self._tokens, self._certified, self._admin = keys, tokens, certified, admin_token.encode()
        self._open = keys is None and tokens is None and certified is None

    async def identify(self, headers: Mapping[str, str], peer: str = "") -> Caller:
        """Headers (or metadata) by lower-case names, and the name in a verified client certificate -> the caller.

        Raises UnknownCallerError; UnavailableError while no key of tokens could be had.
        """
        key, bearer = headers.get("x-api-key"), _bearer(headers.get("authorization"))
        if key is None and bearer.startswith(PREFIX) and self._keys is not None:
            key, bearer = bearer, ""
        if self._admin and bearer and hmac.compare_digest(bearer.encode("utf-8", "surrogatepass"), self._admin):
            return Caller(ADMIN, frozenset(("admin",)) | (ANYBODY.scopes if self._open else frozenset()))
        if self._open:
            return ANYBODY
        if key is not None and self._keys is not None:
            if found := self._keys.find(key):
                return found
            raise UnknownCallerError("no such key")
        if bearer and self._tokens is not None:
            return await self._tokens.caller(bearer)
        if peer and self._certified is not None and key is None and not bearer:
            return Caller(peer, self._certified)
        raise UnknownCallerError("credentials of another kind" if key or bearer else "no credentials")


def require(caller: Caller, scope: str) -> Caller:
    """The caller, if it has a scope. ANYBODY stands for whomever the porch let in, so that a door that passes nobody on
    opens nothing. Raises ForbiddenError.
    """
    caller = current() if caller is ANYBODY else caller
    if scope not in caller.scopes:
        raise ForbiddenError(f"this needs the scope '{scope}', which {caller.name} does not have: ask for such a key")
    return caller


def require_watcher(caller: Caller) -> Caller:
    """The caller, if it may read what is told of everybody's requests. Raises ForbiddenError."""
    return caller if "admin" in caller.scopes else require(caller, "metrics")


def require_admin(caller: Caller, settings: Settings) -> Caller:
    """Raises NotFound where nobody can be an admin, ForbiddenError."""
    if not _token(settings) and not configured(settings):
        raise NotFound("admin calls are off: start the server with ASCRIBE_ADMIN_TOKEN set")
    return require(caller, "admin")


def configured(settings: Settings) -> bool:
    """Whether callers must say who they are."""
    return bool(settings.api_keys or settings.jwks or settings.client_ca)


def opened(settings: Settings, log: Log) -> Auth:
    """What the settings name. Raises ServiceError naming the setting that cannot be used."""
    keys = Keys(settings.api_keys, lambda why: log.event("keys_not_read", reason=why)) if settings.api_keys else None
    tokens = None
    if settings.jwks:
        if not (settings.jwt_issuer and settings.jwt_audience):
            raise ServiceError("ASCRIBE_JWKS needs ASCRIBE_JWT_ISSUER and ASCRIBE_JWT_AUDIENCE: whose tokens, for whom")
        jwks = Jwks(
            settings.jwks, settings.jwks_fresh_s, settings.jwks_stale_s,
            lambda why: log.event("jwks_not_read", reason=why),
        )  # fmt: skip
        tokens = Tokens(jwks, settings.jwt_issuer, settings.jwt_audience, settings.jwt_leeway_s)
    certified = frozenset(settings.cert_scopes.replace(",", " ").split()) if settings.client_ca else None
    return Auth(keys, tokens, certified, _token(settings))


def check_reach(hosts: Iterable[str], settings: Settings) -> None:
    """Raises ServiceError for a host that others can reach while nobody is asked who they are."""
    if configured(settings) or settings.allow_anonymous:
        return
    for host in hosts:
        if not _loopback(host):
            raise ServiceError(
                f"{host} can be reached by others and no credentials are asked for: set ASCRIBE_API_KEYS, ASCRIBE_JWKS "
                "or ASCRIBE_CLIENT_CA, or ASCRIBE_ALLOW_ANONYMOUS=true if all who reach it may ask"
            )


def _loopback(host: str) -> bool:
    """Whether all that a name means is this machine alone; a name that means nothing fails where it is bound."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)}
    except OSError:
        return True
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in found)


def _bearer(header: str | None) -> str:
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _token(settings: Settings) -> str:
    return settings.admin_token.get_secret_value() if settings.admin_token else ""
