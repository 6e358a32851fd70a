"""What a server answers instead -> exceptions of the one tree."""

from __future__ import annotations

from ascribe.core.errors import AscribeError, ServiceError
from ascribe.serve.faults import FAULTS, KINDS, ShedError

__all__ = ["refusal", "word_of_http", "word_of_status"]


def refusal(word: str, text: str, retry_s: float | None = None) -> AscribeError:
    """The exception of a word of the error table."""
    if word == "shed":
        return ShedError(text, 1.0 if retry_s is None else retry_s)
    return KINDS.get(word, ServiceError)(text)


def word_of_http(status: int) -> str:
    """The word for an HTTP status, where the body has none: a proxy answered."""
    return next((word for word, fault in FAULTS.items() if fault.http == status), "internal")


def word_of_status(name: str) -> str:
    """The word for a gRPC status' name, where no details came with it.

    >>> word_of_status("NOT_FOUND")
    'not_found'
    """
    return next((word for word, fault in FAULTS.items() if fault.grpc == name), "internal")
