"""Hostile values, trees with something wrong in them, damaged bytes: what all families draw from."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

__all__ = ["NUMBERS", "TEXTS", "damaged", "dumped", "junk", "mutated", "scalar", "well_formed"]

LONG = "x" * 4000
BEYOND = "@beyond@"  # stands for a number that no double holds
NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 2, 3, 255, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30, 10**400, -0.0, 0.5,
    5e-324, -2.2e-308, 1e-45, 1e308, -1e308, 1.8e19, 3.5e38, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
TEXTS = (
    "", " ", "\0", "a\0b", "two\nlines", "\r\nX-Injected: 1", "\u202egnp.exe", "é", "💥" * 9, "../../../etc/passwd",
    "m@", "@production", "m@production", "m@nowhere", ":", "/", "%00", "%s%n%x", "{}", "[]", "null", "NaN", "-1",
    "1e999", "x", "busy", "ghz", "misses", "exact", "fast", "later", "__class__", "'; DROP TABLE", "0" * 32, LONG,
    "\ufeff", "\x7f",
)  # fmt: skip
HALF = ("\ud800", "a\udfff")  # halves of a pair: no text, though JSON can write them


def scalar(rng: random.Random) -> Any:
    kind = rng.random()
    if kind < 0.45:
        return rng.choice(NUMBERS)
    if kind < 0.8:
        return rng.choice(TEXTS)
    return rng.choice((None, True, False, [], {}, *HALF, BEYOND, rng.uniform(-9, 9), rng.getrandbits(70)))


def junk(rng: random.Random, depth: int = 2) -> Any:
    """Any JSON."""
    if depth and rng.random() < 0.4:
        if rng.random() < 0.5:
            return [junk(rng, depth - 1) for _ in range(rng.randrange(4))]
        return {str(rng.choice(TEXTS)): junk(rng, depth - 1) for _ in range(rng.randrange(4))}
    return scalar(rng)


def mutated(rng: random.Random, tree: Any) -> Any:
    """A copy with one to three things wrong."""
    found = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(found))
        if not places:
            return junk(rng)
        held, key = rng.choice(places)
        _hit(rng, held, key)
    return found


def _places(tree: Any) -> Any:
    """(container, key) of every part."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _places(tree[key])


def _hit(rng: random.Random, held: Any, key: Any) -> None:
    kind = rng.randrange(7)
    if kind <= 2:
        held[key] = junk(rng)
    elif kind == 3:
        del held[key]
    elif kind == 4:
        held[key] = [held[key]] * rng.choice((0, 1, 2, 80))
    elif kind == 5 and isinstance(held, dict):
        held[rng.choice((*TEXTS, *HALF))] = held.pop(key) if rng.random() < 0.5 else junk(rng)
    elif isinstance(held, list):
        held.insert(rng.randrange(len(held) + 1), junk(rng))
    else:
        held[key] = {"": held[key]}


def dumped(rng: random.Random, tree: Any) -> bytes:
    """JSON that has NaN, numbers beyond any double, halves of pairs, at times bytes that are no UTF-8."""
    text = json.dumps(tree, ensure_ascii=rng.random() < 0.7).replace(f'"{BEYOND}"', rng.choice(("1e999", "-1e400")))
    raw = text.encode("utf-8", "surrogatepass")
    return damaged(rng, raw) if rng.random() < 0.2 else raw


def damaged(rng: random.Random, raw: bytes) -> bytes:
    """Bits turned, bytes cut off, put in, doubled or said to be others."""
    out = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            del out[at:]
        elif kind == 1:
            out[at:at] = rng.randbytes(rng.choice((1, 4, 64)))
        elif kind == 2:
            out[at:at] = out[at : at + rng.choice((1, 9, 200))]
        elif kind == 3:
            del out[at : at + rng.choice((1, 2, 30))]
        elif kind == 4:
            out[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0", b"\xff\xff\xff\x7f"))
        elif at < len(out):
            out[at] ^= 1 << rng.randrange(8)
    return bytes(out)


def well_formed(text: str) -> str:
    """A text that UTF-8 can write."""
    return text.encode("utf-8", "replace").decode()
