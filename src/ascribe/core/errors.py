"""Everything that Ascribe raises, in one tree.

    AscribeError
    ├── InputError            rows, columns, units or options that the caller must change
    │   ├── SchemaError       a column is missing, unknown, or carries another unit
    │   └── BudgetError       more (or fewer) coalitions than an estimator can work with
    ├── CapabilityError       the explainer needs what the model does not offer
    ├── MissingExtra          an optional part is not installed
    ├── BundleError           a bundle is incomplete, of another format, or not a bundle
    │   └── TamperedError     bytes do not match the hash in the manifest
    ├── RegistryError         the registry cannot do what was asked
    │   ├── NotFound          no such model, version or channel
    │   └── Conflict          somebody else wrote first
    ├── LakeError             the lake cannot be read or written
    ├── SourceError           telemetry cannot be had from where it should come
    └── ServiceError          a server cannot start (port in use, wrong address)

A broken contract raises; bad numbers in one row are a *status* of that row. Every message says what to do next.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "AscribeError",
    "BudgetError",
    "BundleError",
    "CapabilityError",
    "Conflict",
    "InputError",
    "LakeError",
    "MissingExtra",
    "NotFound",
    "RegistryError",
    "SchemaError",
    "ServiceError",
    "SourceError",
    "TamperedError",
    "extra",
]


class AscribeError(Exception):
    """Root of the tree; its text is one line that says what to do.

    >>> from ascribe.core.estimators import make_plan
    >>> try:
    ...     make_plan("exact", 40)
    ... except AscribeError as exc:
    ...     print(type(exc).__name__, str(exc).partition(":")[0])
    BudgetError exact needs 2^40 coalitions; the limit is 14 players
    """


class InputError(AscribeError, ValueError):
    """The caller's rows or options cannot be used as they are."""


class SchemaError(InputError):
    """Names or units do not agree with the model's features."""


class BudgetError(InputError):
    """The number of coalitions does not fit the estimator."""


class CapabilityError(AscribeError):
    """`needs <= offers` does not hold."""


class MissingExtra(AscribeError, ImportError):
    """An optional dependency is absent; the text names the extra."""


class BundleError(AscribeError):
    """Not a usable bundle."""


class TamperedError(BundleError):
    """A file's sha256 is not the manifest's."""


class RegistryError(AscribeError):
    """The registry refused or failed."""


class NotFound(RegistryError):
    """No such model, version or channel."""


class Conflict(RegistryError):
    """A create-only object exists with other content, or a pointer moved meanwhile."""


class ServiceError(AscribeError):
    """The service cannot start."""


class LakeError(AscribeError):
    """The lake cannot be read or written."""


class SourceError(AscribeError):
    """A broker, file or server does not give what was asked."""


@contextmanager
def extra(name: str, what: str) -> Iterator[None]:
    """Around imports of an optional part: its absence is one line. Raises MissingExtra.

    A module of our own that is not there is a fault, not an extra, and stays what it is.
    """
    try:
        yield
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] == "ascribe":
            raise
        raise MissingExtra(f"this needs {what}: pip install 'ascribe[{name}]' ({exc.name} is missing)") from exc
