"""TLS and mutual TLS for both doors, from the same files; who a client certificate names."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.x509.oid import NameOID

from ascribe.core.errors import ServiceError
from ascribe.serve.access.audit import no_certificate
from ascribe.serve.observe.log import Log
from ascribe.serve.settings import Settings

__all__ = ["Tls", "named", "opened"]

NONE_SHOWN = "PEER_DID_NOT_RETURN_A_CERTIFICATE"
SAN = x509.SubjectAlternativeName


class _Handshake(ssl.SSLObject):
    """Says why a client certificate was not taken; nobody else would."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as exc:
            self.context.refused(exc.verify_message)  # type: ignore[attr-defined]
            raise
        except ssl.SSLError as exc:
            if exc.reason == NONE_SHOWN:
                self.context.refused("none was shown")  # type: ignore[attr-defined]
            raise


class _Context(ssl.SSLContext):
    sslobject_class = _Handshake
    refused: Callable[[str], None]


class Tls:
    """Certificate and key as PEM, and the authority of clients where their certificates are required. Files that were
    replaced are read again by the next handshake but one. The log hears why they were not taken, and of callers of the
    HTTP door whose certificates are not good.

    Raises ServiceError for files that cannot be read or do not belong together.
    """

    def __init__(self, cert: Path, key: Path, client_ca: Path | None, log: Log) -> None:
        self._cert, self._key, self._client_ca, self._log = cert, key, client_ca, log
        self.context()

    def context(self) -> ssl.SSLContext:
        """For HTTP: TLS 1.2 or newer."""
        context = _Context(ssl.PROTOCOL_TLS_SERVER)
        context.refused = lambda why: no_certificate(self._log, why)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        self._load(context)
        if self._client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
        seen = self._stamps()

        def before(*_: object) -> None:
            nonlocal seen
            stamps = self._stamps()
            if stamps != seen and self._good():
                self._load(context)
            seen = stamps

        context.sni_callback = before
        return context

    def credentials(self) -> grpc.ServerCredentials:
        """For gRPC, whose library begins at TLS 1.2."""
        seen = self._stamps()

        def before() -> Any:
            nonlocal seen
            stamps = self._stamps()
            changed, seen = stamps != seen, stamps
            return self._configuration() if changed and self._good() else None

        return grpc.dynamic_ssl_server_credentials(self._configuration(), before, self._client_ca is not None)

    def _configuration(self) -> Any:
        authority = self._client_ca.read_bytes() if self._client_ca else None
        return grpc.ssl_server_certificate_configuration([(self._key.read_bytes(), self._cert.read_bytes())], authority)

    def _good(self) -> bool:
        """Whether changed files can be used: they may be half written."""
        try:
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        except ServiceError as exc:
            self._log.event("certificates_not_read", reason=str(exc))
            return False
        return True

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self._cert, self._key, password=_no_password)
        except (OSError, ValueError) as exc:
            raise ServiceError(
                f"ASCRIBE_TLS_CERT {self._cert} and ASCRIBE_TLS_KEY {self._key} cannot be used ({exc}): name a "
                "certificate and its own key, both PEM, the key without a password"
            ) from exc
        if self._client_ca:
            try:
                context.load_verify_locations(self._client_ca)
            except (OSError, ValueError) as exc:
                raise ServiceError(
                    f"ASCRIBE_CLIENT_CA {self._client_ca} cannot be used ({exc}): name a PEM file"
                ) from exc

    def _stamps(self) -> list[tuple[int, int, int]]:
        paths = [path for path in (self._cert, self._key, self._client_ca) if path]
        return [(s.st_mtime_ns, s.st_size, s.st_ino) for path in paths if path.exists() and (s := path.stat())]


def opened(settings: Settings, log: Log) -> Tls | None:
    """As the settings say; None: no TLS. Raises ServiceError."""
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise ServiceError("ASCRIBE_TLS_CERT and ASCRIBE_TLS_KEY go together: set both")
    if settings.tls_cert is None or settings.tls_key is None:
        if settings.client_ca:
            raise ServiceError("ASCRIBE_CLIENT_CA needs ASCRIBE_TLS_CERT and ASCRIBE_TLS_KEY: set them too")
        return None
    return Tls(settings.tls_cert, settings.tls_key, settings.client_ca, log)


@lru_cache(maxsize=1024)
def named(raw: bytes) -> str:
    """Whom a verified certificate (DER or PEM) names: its first URI, DNS name or address of mail, else its common name;
    empty where there is none.
    """
    read: Any = x509.load_pem_x509_certificate if raw.startswith(b"-----") else x509.load_der_x509_certificate
    try:
        certificate = read(raw)
        held = certificate.extensions.get_extension_for_class(SAN).value
    except x509.ExtensionNotFound:
        held = None
    except ValueError:
        return ""
    kinds = (x509.UniformResourceIdentifier, x509.DNSName, x509.RFC822Name)
    names = [name for kind in kinds for name in held.get_values_for_type(kind)] if held else []
    names += [str(part.value) for part in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return str(names[0])[:256] if names else ""


def _no_password() -> bytes:
    """Instead of a question at the terminal."""
    raise ValueError("the key has a password")
