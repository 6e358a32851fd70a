"""How a model file is read: FATE and FATE-Serving of different versions answer differently for the same file."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from ascribe.core.errors import InputError

__all__ = ["SEMANTICS", "Semantics", "semantics_of"]


@dataclass(frozen=True)
class Semantics:
    """`guest_epsilon`, `host_epsilon`: left is where x <= threshold + epsilon. `scale_decimals`: what scaled values are
    rounded to (None: not). `honour_flags`: absent counts as 0 unless use_missing and zero_as_missing, as in FATE's own
    predictions; Serving ignores both. `zero_is_left`: where a stored missing direction of 0 goes.
    """

    name: str
    guest_epsilon: float
    host_epsilon: float
    scale_decimals: int | None = None
    honour_flags: bool = False
    zero_is_left: bool = True

    def epsilon(self, role: str) -> float:
        return self.guest_epsilon if role == "guest" else self.host_epsilon

    def to_json(self) -> dict[str, object]:
        return asdict(self)


SEMANTICS = {
    s.name: s
    for s in (
        Semantics("serving-2.1", 1e-8, 1e-8),
        Semantics("serving-2.0", 1e-20, 1e-20),
        Semantics("fate-1.4", 0.0, 0.0, 6, True, False),
        Semantics("fate-1.5", 1e-8, 0.0, None, True, False),
        Semantics("fate-1.7", 1e-8, 1e-8, None, True, False),
    )
}  # the first: what most running systems answer
WRITER = "writer"  # of the FATE version that wrote the file


def semantics_of(name: str, fate_version: str) -> Semantics:
    """By name; `writer`: as FATE of the version that wrote the file predicts offline.

    Raises InputError for an unknown name, and for `writer` where the file names no version of 1.x.

    >>> semantics_of("writer", "1.6.1").name
    'fate-1.5'
    """
    if name in SEMANTICS:
        return SEMANTICS[name]
    if name != WRITER:
        raise InputError(f"semantics '{name}' is not known: use one of {', '.join([*SEMANTICS, WRITER])}")
    found = re.match(r"1\.(\d+)", fate_version)
    if not found:
        raise InputError("the file does not say which FATE wrote it: name the semantics, such as fate-1.4")
    minor = int(found.group(1))
    return SEMANTICS["fate-1.7" if minor >= 7 else "fate-1.5" if minor >= 5 else "fate-1.4"]
