"""What guest and host say to one another. A transport carries these records and decides nothing.

guest -> host     Ask: which model, and the ids of rows. No feature, weight or score of the guest.
host -> guest     Reply: for each row a code, and for each component of the pipeline that reports something a Part:
                  one bit for every own split (Routes), or the linear part (Linear).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.errors import InputError

__all__ = ["Ask", "HostCall", "Linear", "Part", "Reply", "Routes", "pack", "unpack"]


@dataclass(frozen=True)
class Ask:
    """`model`: the host's bundle, by version or name; `digest`: `Party.digest`, which both halves of one model
    share; `ids (b,)`: what the host looks its own columns up by, a row each. `columns`: ask for the parts of single
    columns; answered only by a host that agreed.
    """

    model: str
    digest: str
    ids: tuple[str, ...]
    columns: bool = False


@dataclass(frozen=True, eq=False)
class Routes:
    """`bits (b, k)`: True = left, one for each own split in the order of `Structure.splits_of`, on the path or not.

    `known (b,)`: False where the answer lacked a split (a text form may; the packed form cannot).
    """

    bits: Bool[np.ndarray, "b k"]
    known: Bool[np.ndarray, " b"] | None = None


@dataclass(frozen=True, eq=False)
class Linear:
    """`sums (b, m)`: the party's linear part, one for each of m models (1, or one a class). `terms (b, m, n)`: its
    parts by own column, where host and guest agreed to tell them; `columns (n,)` their names.
    """

    sums: Float[np.ndarray, "b m"]
    terms: Float[np.ndarray, "b m n"] | None = None
    columns: tuple[str, ...] = ()


Part = Routes | Linear


@dataclass(frozen=True, eq=False)
class Reply:
    """A host's answer. `party`: its full name, "host:10000". `code (b,)`: 0, or a code of `codes`; parts of a row that
    failed mean nothing (zeros). `parts`: by name of component. `defaulted (b,)`: own splits or columns that had no
    value; only from a host that opted in.
    """

    party: str
    digest: str
    code: np.ndarray
    parts: Mapping[str, Part]
    defaulted: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.code)


HostCall = Callable[[Ask], Reply]
"""A host as a function: what a transport is to the guest."""


def pack(bits: Bool[np.ndarray, "b k"]) -> np.ndarray:
    """Rows of bits as bytes (b, ceil(k / 8)): split j is bit j % 8 of byte j // 8; what is left over is 0.

    >>> pack(np.array([[True, False, True]])).tolist()
    [[5]]
    """
    return np.packbits(bits, axis=1, bitorder="little")


def unpack(raw: np.ndarray, k: int) -> np.ndarray:
    """Bytes (b, ceil(k / 8)) as bits (b, k). Raises InputError for another width, or bits set behind the last."""
    if raw.ndim != 2 or raw.dtype != np.uint8 or raw.shape[1] != -(-k // 8):
        raise InputError(f"routes of {k} splits take {-(-k // 8)} bytes a row: the answer has another length")
    bits = np.unpackbits(raw, axis=1, bitorder="little").astype(bool)
    if bits[:, k:].any():
        raise InputError(f"routes of {k} splits have bits behind the last: the answer is of another model")
    return bits[:, :k]
