"""What a page of Prometheus says."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["read", "total"]


def read(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of a page by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(text: str, name: str, **labels: str) -> float:
    """A sum over the samples that have these labels."""
    return sum(v for (n, has), v in read(text).items() if n == name and labels.items() <= dict(has).items())
