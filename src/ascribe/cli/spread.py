"""Options that several commands share as one record: written once, with their helps and defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints

__all__ = ["spread"]


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command for typer: in place of a parameter that is a record stand the record's fields, an option each, with
    the fields' defaults.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Range:
    ...     low: int
    ...     high: int = 9
    >>> def show(name: str, range: Range) -> None:
    ...     print(name, range)
    >>> list(signature(spread(show)).parameters)
    ['name', 'low', 'high']
    >>> spread(show)(name="x", low=1, high=2)
    x Range(low=1, high=2)
    """
    hints = get_type_hints(command, include_extras=True)
    parameters: list[Parameter] = []
    records: dict[str, tuple[type, tuple[str, ...]]] = {}
    for name, own in signature(command).parameters.items():
        kind = hints[name]
        if not isinstance(kind, type) or not is_dataclass(kind):
            parameters.append(Parameter(name, Parameter.KEYWORD_ONLY, default=own.default, annotation=kind))
            continue
        parameters += _options(kind)
        records[name] = kind, tuple(f.name for f in fields(kind))

    @wraps(command)
    def asked(**given: Any) -> None:
        for name, (kind, options) in records.items():
            given[name] = kind(**{option: given.pop(option) for option in options})
        command(**given)

    asked.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    asked.__annotations__ = {p.name: p.annotation for p in parameters}
    return asked


def _options(record: type) -> list[Parameter]:
    """The fields of a record, with their types and defaults."""
    hints = get_type_hints(record, include_extras=True)
    defaults = signature(record).parameters
    return [
        Parameter(f.name, Parameter.KEYWORD_ONLY, default=defaults[f.name].default, annotation=hints[f.name])
        for f in fields(record)
    ]
