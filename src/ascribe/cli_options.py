"""Options that several commands share, and what they say where an extra is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ascribe.core.errors import InputError, MissingExtra

__all__ = [
    "Budget", "Channel", "Groups", "Latency", "Method", "Output", "Registry", "Samples", "Seed", "Target", "Tier",
    "Value", "VerifyKey", "extra", "labelled", "listed",
]  # fmt: skip

Registry = Annotated[str, typer.Option("--registry", help="directory, file:///path or s3://bucket/prefix")]
Channel = Annotated[str, typer.Option("--channel", help="which pointer")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="same seed, same answer")]
Budget = Annotated[int | None, typer.Option("--budget", help="coalitions per row (default: by the number of features)")]
Samples = Annotated[int, typer.Option("--samples", help="completions per coalition")]
Groups = Annotated[
    Path | None, typer.Option("--groups", help="TOML or JSON: group = [features]; groups become players")
]
Method = Annotated[str, typer.Option("--method", help="conditional_shap, amortized_shap (one pass) or kernel_shap")]
Value = Annotated[str, typer.Option("--value", help="v(S) from completions, surrogate, stacked, or auto (as judged)")]
Tier = Annotated[
    str | None, typer.Option("--tier", help="fast, balanced, accurate or exact, instead of method and budget")
]
Latency = Annotated[
    float | None, typer.Option("--max-latency-ms", help="the most accurate tier measured to answer in this time")
]
Target = Annotated[float | None, typer.Option("--target-stderr", help="spend until every standard error is below it")]

Output = Annotated[
    str | None, typer.Option("--target", help="which prediction of a bundle of several (default: its first)")
]
VerifyKey = Annotated[
    Path | None, typer.Option("--verify-key", help="public key (PEM): refuse versions that it did not sign")
]


@contextmanager
def extra(name: str, what: str) -> Iterator[None]:
    """An absent optional part as one line."""
    try:
        yield
    except ModuleNotFoundError as exc:
        raise MissingExtra(f"this command needs {what}: pip install 'ascribe[{name}]' ({exc.name} is missing)") from exc


def listed(text: str | None) -> tuple[str, ...]:
    """`a,b,c` -> its parts."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


def labelled(words: list[str] | None) -> dict[str, str]:
    """key=value, each once.

    >>> labelled(["rack=7", "cpu=epyc"])
    {'rack': '7', 'cpu': 'epyc'}
    """
    pairs = [word.partition("=") for word in words or []]
    if wrong := [word for word, (key, sign, _) in zip(words or [], pairs, strict=True) if not key or not sign]:
        raise InputError(f"a label is key=value, not '{wrong[0]}'")
    if len({key for key, _, _ in pairs}) < len(pairs):
        raise InputError("give each label once")
    return {key: value for key, _, value in pairs}
