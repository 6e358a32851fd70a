"""Where to ask, as whom, how long and how often."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ascribe.core.errors import InputError

__all__ = ["Options", "Tls", "opened"]

SCHEMES = ("http", "https", "grpc", "grpcs")


@dataclass(frozen=True)
class Tls:
    """PEM files: `ca` that the server's certificate is checked against (None: the system's), and the client's own
    certificate and key where the server asks for one.
    """

    ca: Path | str | None = None
    cert: Path | str | None = None
    key: Path | str | None = None

    def read(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """The files' bytes: ca, key, cert. Raises InputError for one that cannot be read."""
        try:
            ca, key, cert = (
                None if path is None else Path(path).read_bytes() for path in (self.ca, self.key, self.cert)
            )
        except OSError as exc:
            raise InputError(f"tls: {exc.filename} cannot be read ({exc.strerror}): name PEM files") from exc
        return ca, key, cert

    def context(self) -> ssl.SSLContext:
        """For HTTP. Raises InputError."""
        self.read()
        try:
            context = ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))
            if self.cert is not None:
                context.load_cert_chain(str(self.cert), None if self.key is None else str(self.key))
        except ssl.SSLError as exc:
            raise InputError("tls: the files hold no certificate or key: name PEM files") from exc
        return context


@dataclass(frozen=True)
class Options:
    """`timeout_s`: of a call, all its tries together. `tries`: how often a call is sent at most."""

    scheme: str
    address: str
    headers: tuple[tuple[str, str], ...]
    timeout_s: float
    tries: int
    tls: Tls

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.address}"

    @property
    def secure(self) -> bool:
        return self.scheme in ("https", "grpcs")


def opened(url: str, api_key: str | None, token: str | None, timeout: float, tls: Tls | None, tries: int) -> Options:
    """Raises InputError for another scheme, a URL without a host, or numbers that are not positive."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise InputError(f"'{url[:100]}' is no address of a server: use http(s)://HOST:PORT or grpc(s)://HOST:PORT")
    if not timeout > 0 or tries < 1:
        raise InputError("timeout is in seconds and above 0, tries at least 1")
    headers = [("x-api-key", api_key)] if api_key else []
    headers += [("authorization", f"Bearer {token}")] if token else []
    path = parts.path.rstrip("/") if parts.scheme.startswith("http") else ""
    return Options(parts.scheme, parts.netloc + path, tuple(headers), timeout, tries, tls or Tls())
