"""Every measurement of the house: what runs it, what it leaves, and the part of a page that is written from that.

A part of a page stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->` and is a function of the raw files alone.
What is not in this table is not run by `make bench`, and a test looks for benchmarks that nobody put here.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.page.text import filled
from benchmarks.record import Raw

__all__ = ["SECTIONS", "Section", "part", "pictures"]


@dataclass(frozen=True)
class Section:
    """`raw`: files and folders under benchmarks/results, without `.json`; `minutes`: about, at full size on two cores;
    `cells`: it keeps what it has, and `--redo` measures that again too.
    """

    name: str
    module: str  # of python -m, and its function in benchmarks.page
    raw: tuple[str, ...]
    writer: str  # module of benchmarks.page with `text(raw)`, perhaps `draw(raw, folder)`
    minutes: float
    page: str = "benchmarks.md"  # under docs; none: nothing is written
    cells: bool = False

    @property
    def command(self) -> str:
        return f"python -m {self.module}"

    @property
    def long(self) -> bool:
        """Hours: `make soak` runs it, `make bench` does not."""
        return self.minutes > 60


SECTIONS = (
    Section("gaussian", "benchmarks.gaussian", ("gaussian",), "gaussian", 4),
    Section("accuracy", "benchmarks.accuracy", ("accuracy",), "accuracy", 170, cells=True),
    Section("latency", "benchmarks.latency", ("latency",), "latency", 40, cells=True),
    Section("forecast", "benchmarks.forecast", ("forecast",), "forecasts", 60, cells=True),
    Section("attended", "benchmarks.attended", ("attended",), "attended", 5, "forecast.md"),
    Section("trees", "benchmarks.trees", ("trees",), "trees", 8),
    Section("power", "benchmarks.power", ("power_xeon_e5_2650", "power_opteron6140"), "power", 8),
    Section("ingest", "benchmarks.ingest", ("ingest",), "ingest", 3),
    Section("exactly_once", "benchmarks.exactly_once", ("exactly_once",), "exactly_once", 3),
    Section("lake_costs", "benchmarks.lake_costs", ("lake_costs",), "lake_costs", 1, "sizing.md"),
    Section("sizing", "benchmarks.sizing", ("sizing",), "sizing", 0.1, "sizing.md"),
    Section("swaps", "benchmarks.swaps", ("swaps",), "swaps", 6),
    Section("serve", "benchmarks.serve", ("serve",), "service", 30, cells=True),
    Section("batching", "benchmarks.batching", ("batching",), "batching", 4),
    Section("start", "benchmarks.start", ("start",), "start", 1),
    Section("restarts", "benchmarks.restarts", ("restarts",), "restarts", 6),
    Section("overload", "benchmarks.overload", ("overload",), "overload", 6),
    Section("fuzz", "benchmarks.fuzz", ("fuzz",), "fuzz", 13),
    Section("federated", "benchmarks.federated", ("federated",), "federated", 3),
    Section("federated_stages", "benchmarks.federated_stages", ("federated_stages",), "federated_stages", 1),
    Section("gradients", "benchmarks.gradients", ("gradients",), "gradients", 2, "gradients.md"),
    Section("coalescing", "benchmarks.coalescing", ("coalescing",), "coalescing", 1, "gradients.md"),
    Section("quantize", "benchmarks.quantize", ("quantize",), "quantize", 20, "quantize.md"),
    Section("install", "benchmarks.install", ("install",), "install", 4, "packaging.md"),
    Section("resolves", "benchmarks.resolves", ("resolves",), "resolves", 3, "packaging.md"),
    Section("cited", "benchmarks.cited", ("cited",), "", 2, ""),
    Section("faults", "benchmarks.faults.run", ("faults",), "faults", 240),
)


def part(section: Section, raw: Raw) -> str:
    """Markdown between the marks: what the writer makes, then its command and raw files; one line without these."""
    files = list(raw.files(section.raw))
    if not files:
        return f"{section.name.capitalize()}: not measured yet (`{section.command}`).\n"
    links = ", ".join(f"[{Path(name).name}](../benchmarks/results/{_path(raw, name)})" for name in section.raw)
    text = filled(_writer(section).text(raw))
    return f"{text}\nBy `{section.command}`; raw: {links}. {_when(raw, files)}\n"


def pictures(section: Section, raw: Raw, folder: Path) -> None:
    """The section's figures into `folder`, where it has any: the same bytes, whatever was drawn before."""
    draw = getattr(_writer(section), "draw", None) if section.page else None
    if draw is None or not any(raw.files(section.raw)):
        return
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.style

    with matplotlib.style.context(["default", {"svg.hashsalt": "ascribe", "svg.fonttype": "none"}]):
        draw(raw, folder)


def _writer(section: Section) -> Any:
    return import_module(f"benchmarks.page.{section.writer}")


def _path(raw: Raw, name: str) -> str:
    return f"{name}.json" if (raw.root / f"{name}.json").exists() else name


def _when(raw: Raw, files: list[Path]) -> str:
    """Kinds of machine and days, as far as the files say them."""
    held = [raw(str(place.relative_to(raw.root).with_suffix(""))).get("machine", {}) for place in files]
    cores = sorted({m["cores"] for m in held if "cores" in m})
    days = sorted({m["day"] for m in held if "day" in m})
    said = " or ".join(map(str, cores)) + (" x86-64 cores" if any(m.get("cpu") == "x86_64" for m in held) else " cores")
    told = [said] if cores else []
    if days:
        told.append(days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}")
    return ", ".join(told) + "." if told else ""
