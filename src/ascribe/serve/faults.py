"""What went wrong, as one word that both doors translate.

InputError                      -> invalid_input
├── InvalidRowsError                 -> invalid_input, with each row's reason
├── TooLargeError                    -> too_large
└── UnsupportedError                 -> unsupported
NotFound                        -> not_found
CapabilityError, MissingExtra   -> precondition
UnknownCallerError (a ServiceError)  -> auth
ForbiddenError (a ServiceError)      -> forbidden
ShedError (a ServiceError)           -> shed
UnavailableError (a ServiceError)    -> unavailable
RegistryError                   -> unavailable; a store's own text stays in the house
DeadlineError (ServiceError)   -> deadline
AbandonedError, CancelledError       -> cancelled
anything else                   -> internal; its text stays in the house
"""

from __future__ import annotations

from asyncio import CancelledError
from dataclasses import dataclass

from ascribe.core.errors import (
    AscribeError,
    CapabilityError,
    InputError,
    MissingExtra,
    NotFound,
    RegistryError,
    ServiceError,
)

__all__ = [
    "FAULTS",
    "KINDS",
    "AbandonedError",
    "DeadlineError",
    "Fault",
    "ForbiddenError",
    "InvalidRowsError",
    "Problem",
    "ShedError",
    "TooLargeError",
    "UnavailableError",
    "UnknownCallerError",
    "UnsupportedError",
    "problem_of",
]

TEXT_LIMIT = 1000  # characters of a fault's text: it may quote the caller


class InvalidRowsError(InputError):
    """No row of the request can be answered. `reasons`: one text for each row, sent in `field`; `row`, `rows`: what
    one and several are called.
    """

    def __init__(self, reasons: list[str], field: str = "feature_vector", row: str = "row", rows: str = "rows") -> None:
        self.reasons, self.field = reasons, field
        what = f"the only {row}" if len(reasons) == 1 else f"none of the {len(reasons)} {rows}"
        verb = "cannot be answered" if len(reasons) == 1 else f"can be answered; {row} 0"
        super().__init__(f"{what} {verb}: {reasons[0]}")


class TooLargeError(InputError):
    """A limit of the server is exceeded; the text names it."""


class UnsupportedError(InputError):
    """Another media type or encoding than JSON."""


class UnknownCallerError(ServiceError):
    """No credentials, or none that this server knows; which of the two is never said. `why`: for the log alone."""

    def __init__(self, why: str = "") -> None:
        self.why = why
        super().__init__(
            "this server asks who you are: send a key of it as X-API-Key, or a token as Authorization: Bearer"
        )


class ForbiddenError(ServiceError):
    """Known, but not allowed to do this."""


class ShedError(ServiceError):
    """A queue is full or a rate is used up. `retry_s`: when to come again, in seconds; `reason`: one word for who
    counts.
    """

    def __init__(self, text: str, retry_s: float = 1.0, reason: str = "queue") -> None:
        self.retry_s, self.reason = retry_s, reason
        super().__init__(text)


class UnavailableError(ServiceError):
    """Loading; try again."""


class DeadlineError(ServiceError):
    """The server's own limit of time."""


class AbandonedError(ServiceError):
    """The caller has left, so nothing more is computed."""


@dataclass(frozen=True)
class Fault:
    """One row of the error table: HTTP status, name of the gRPC status, and (`retry_s`) when to come again."""

    http: int
    grpc: str
    title: str
    retry_s: int | None = None


FAULTS: dict[str, Fault] = {
    "invalid_input": Fault(400, "INVALID_ARGUMENT", "The request cannot be used as it is"),
    "not_found": Fault(404, "NOT_FOUND", "Not served here"),
    "auth": Fault(401, "UNAUTHENTICATED", "Say who you are"),
    "shed": Fault(429, "RESOURCE_EXHAUSTED", "Too much at once", retry_s=1),
    "forbidden": Fault(403, "PERMISSION_DENIED", "Not allowed"),
    "precondition": Fault(422, "FAILED_PRECONDITION", "The model does not offer what this needs"),
    "too_large": Fault(413, "INVALID_ARGUMENT", "Over a limit of this server"),
    "unavailable": Fault(503, "UNAVAILABLE", "Not ready", retry_s=1),
    "deadline": Fault(504, "DEADLINE_EXCEEDED", "Out of time"),
    "cancelled": Fault(499, "CANCELLED", "The caller left"),
    "unsupported": Fault(415, "UNIMPLEMENTED", "Not offered"),
    "internal": Fault(500, "INTERNAL", "Our fault"),
}

WORDS: tuple[tuple[type[BaseException], str], ...] = (  # the first that fits
    (TooLargeError, "too_large"),
    (UnsupportedError, "unsupported"),
    (InputError, "invalid_input"),
    (NotFound, "not_found"),
    (CapabilityError, "precondition"),
    (MissingExtra, "precondition"),
    (UnknownCallerError, "auth"),
    (ForbiddenError, "forbidden"),
    (ShedError, "shed"),
    (UnavailableError, "unavailable"),
    (RegistryError, "unavailable"),
    (DeadlineError, "deadline"),
    (AbandonedError, "cancelled"),
    (CancelledError, "cancelled"),
)


KINDS: dict[str, type[AscribeError]] = {  # what a word means to whoever hears it
    "invalid_input": InputError,
    "too_large": TooLargeError,
    "unsupported": UnsupportedError,
    "not_found": NotFound,
    "precondition": CapabilityError,
    "auth": UnknownCallerError,
    "forbidden": ForbiddenError,
    "shed": ShedError,
    "unavailable": UnavailableError,
    "deadline": DeadlineError,
}


@dataclass(frozen=True)
class Problem:
    """A fault of one request: its word, one line of text, and (field, reason) of what must change. `wait_s`: when to
    come again, where this request knows better than the table.
    """

    code: str
    text: str
    violations: tuple[tuple[str, str], ...] = ()
    wait_s: float | None = None

    @property
    def retry_s(self) -> float | None:
        return self.fault.retry_s if self.wait_s is None else self.wait_s

    @property
    def fault(self) -> Fault:
        return FAULTS[self.code]


def problem_of(exc: BaseException) -> Problem:
    """The problem that an exception means to a caller."""
    code = next((word for kind, word in WORDS if isinstance(exc, kind)), "internal")
    if code == "internal":
        return Problem(code, "the server failed on this request: its log has the cause under this request_id")
    if code == "unavailable" and isinstance(exc, RegistryError):
        return Problem(code, "a store cannot be used: ask again; the log has the cause under this request_id")
    rows = [(exc.field, why) for why in exc.reasons] if isinstance(exc, InvalidRowsError) else []
    text = str(exc) or FAULTS[code].title
    violations = tuple((f"{field}[{i}]", why) for i, (field, why) in enumerate(rows) if why)
    return Problem(code, text[:TEXT_LIMIT], violations, exc.retry_s if isinstance(exc, ShedError) else None)
