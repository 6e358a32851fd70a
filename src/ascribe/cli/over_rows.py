"""Commands over many rows: what features are worth, which method is faithful, how a model stands up to attacks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ascribe.cli.options import Budget, Bundle, Groups, Samples, Seed, Space, listed
from ascribe.console import bar, bars, err, out
from ascribe.core.errors import InputError, extra

__all__ = ["add_to"]

PAGES = (".html", ".htm")

Data = Annotated[Path, typer.Argument(help="rows: a table, a folder of pictures, or a .txt of sentences")]
Class = Annotated[str | None, typer.Option("--output-name", help="which class or target (default: as the bundle says)")]


def add_to(app: typer.Typer) -> None:
    for command in (importance, compare, probe):
        app.command()(command)


def importance(
    bundle: Bundle,
    data: Data,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="OUT.json, or OUT.png/.svg to draw")] = None,
    target: Annotated[
        str | None, typer.Option("--target", help="column that was measured (default: the predictions themselves)")
    ] = None,
    method: Annotated[str, typer.Option("--method", help="permutation, sage or mean_abs")] = "permutation",
    loss: Annotated[str | None, typer.Option("--loss", help="squared, absolute or log")] = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="shuffles of each feature")] = 10,
    explainer: Annotated[
        str | None, typer.Option("--explainer", help="of mean_abs (default: the first offered)")
    ] = None,
    groups: Groups = None,
    samples: Samples = 32,
    seed: Seed = 0,
    name: Class = None,
    space: Space = None,
) -> None:
    """What each feature is worth to the model over many rows, with 95 % intervals."""
    from ascribe import measures
    from ascribe.bundle.tables import read_groups

    if output is not None and output.suffix.lower() not in (".json", ".png", ".svg"):
        raise InputError(f"{output}: the answer is .json, its picture .png or .svg")
    model, given = _opened(bundle, data, name, space)
    y = None if target is None else _column(given.rows, target)
    players = read_groups(groups) if groups else None
    with bars(keep=False) as shown:
        task = shown.add_task("importance", total=1.0)
        told = measures.importance(
            model, given.rows, y, method, loss, players, seed, repeats, explainer, samples,
            step=lambda share: shown.update(task, completed=share),
        )  # fmt: skip
    _show_importance(told)
    if output is None:
        return
    if output.suffix == ".json":
        low, high = told.interval()
        _written(output, measures.plain(told) | {"low": measures.plain(low), "high": measures.plain(high)})
    else:
        with extra("report", "matplotlib"):
            from ascribe.report.importance import figure
            from ascribe.report.plots import save
        save(figure(told), output)
    err.print(f"-> {output}")


def compare(
    bundle: Bundle,
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="REPORT.html or REPORT.json")],
    methods: Annotated[str | None, typer.Option("--methods", help="a,b,c (default: all that the model offers)")] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="so many of the file's rows, evenly spread")] = 20,
    budget: Budget = None,
    samples: Samples = 32,
    near: Annotated[int, typer.Option("--near", min=0, help="rows beside each for sensitivity; 0: not asked")] = 8,
    radius: Annotated[float, typer.Option("--radius", min=0, help="of each feature's range, for sensitivity")] = 0.02,
    layers: Annotated[
        int, typer.Option("--layers", min=0, help="randomise a network so many times, from its output down")
    ] = 0,
    seed: Seed = 0,
    name: Class = None,
    space: Space = None,
) -> None:
    """Judge every method that a model offers on the same rows: time, insertion, deletion, infidelity, sensitivity."""
    from ascribe import measures
    from ascribe.core.arrays import evenly

    _writable(output)
    model, given = _opened(bundle, data, name, space)
    chosen = given.take(evenly(given.count, rows).tolist())
    with bars(keep=False) as shown:
        told = measures.compare(
            model, chosen.rows, listed(methods) or None, samples, budget, None, near=near, radius=radius, seed=seed,
            step=bar(shown, "comparing"), layers=layers,
        )  # fmt: skip
    _show_comparison(told)
    if output.suffix == ".json":
        _written(output, measures.plain(told))
    else:
        with extra("report", "matplotlib"):
            from ascribe.report.comparison import save
        save(told, output)
    err.print(f"-> {output}")


def probe(
    bundle: Bundle,
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="REPORT.html or REPORT.json")],
    label: Annotated[
        str | None, typer.Option("--label", help="column of the true class (default: the class predicted)")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="so many of the file's rows, evenly spread")] = 20,
    attacks: Annotated[str, typer.Option("--attacks", help="fgsm, pgd")] = "fgsm,pgd",
    epsilons: Annotated[
        str, typer.Option("--epsilons", help="sizes, shares of each feature's range")
    ] = "0,0.001,0.002,0.004,0.008,0.016,0.032,0.064",
    norm: Annotated[str, typer.Option("--norm", help="linf or l2")] = "linf",
    methods: Annotated[
        str | None, typer.Option("--methods", help="a,b,c whose values are moved (default: the first offered)")
    ] = None,
    epsilon: Annotated[float, typer.Option("--epsilon", min=0, help="how far a row may move for those")] = 0.02,
    delta: Annotated[
        float | None, typer.Option("--delta", help="how far the prediction may move then, in its unit")
    ] = None,
    samples: Samples = 32,
    seed: Seed = 0,
    name: Class = None,
    space: Space = None,
) -> None:
    """Probe a model: attacks of growing size on its predictions, and how far explanations move while those stay."""
    from ascribe import measures
    from ascribe.core.arrays import evenly
    from ascribe.core.probes.stability import largest

    _writable(output)
    sizes = _numbers(epsilons)
    model, given = _opened(bundle, data, name, space)
    at = evenly(given.count, rows).tolist()
    labels = None if label is None else [str(one) for one in _held(given.rows, label).take(at).to_pylist()]
    chosen, ways = given.take(at), listed(attacks)
    with bars(keep=False) as shown:
        told = measures.probe(
            model, chosen.rows, labels, ways, sizes, norm, listed(methods) or None, epsilon, delta, seed, samples,
            step=bar(shown, "probing"),
        )  # fmt: skip
    for found in told.robust:
        kept = found.moved if found.accuracy is None else found.accuracy
        pairs = ", ".join(f"{size:g}: {share:.3g}" for size, share in zip(found.epsilons, kept, strict=True))
        out.print(f"{found.method}  {pairs}", highlight=False)
    for steady in told.stable:
        out.print(f"{steady.method}  values move by up to {largest(steady.moved):.3g} of their size", highlight=False)
    for text in told.refused:
        err.print(text, highlight=False)
    if output.suffix == ".json":
        whole = measures.plain(replace(told, robust=(), stable=()))
        bare = {what: [_bare(one) for one in getattr(told, what)] for what in ("robust", "stable")}
        _written(output, whole | bare)
    else:
        with extra("report", "matplotlib"):
            from ascribe.report.probes import save
        save(told, output)
    err.print(f"-> {output}")


def _opened(bundle: str, data: Path, name: str | None, space: str | None) -> tuple[Any, Any]:
    """The model of the output asked for, and what the file holds."""
    from ascribe import api
    from ascribe.cli.rows import given

    model = api.open(bundle)
    model = model.output(name, space) if name is not None or space is not None else model
    return model, given(model.model.layout.kind, data)


def _column(table: Any, name: str) -> Any:
    import numpy as np

    column = _held(table, name)
    try:
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=float)
    except (TypeError, ValueError) as exc:
        raise InputError(f"column '{name}' holds no numbers: of a class, write 1 for it and 0 for others") from exc


def _held(table: Any, name: str) -> Any:
    """A column of a table. Raises InputError."""
    if not hasattr(table, "column_names") or name not in table.column_names:
        raise InputError(f"there is no column '{name}' in the rows")
    return table[name].combine_chunks()


def _bare(found: Any) -> dict[str, Any]:
    """Without the rows themselves, which may be pictures."""
    from ascribe import measures

    return {name: value for name, value in measures.plain(replace(found, rows=0)).items() if name != "rows"}


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in listed(text))
    except ValueError as exc:
        raise InputError(f"'{text}' is no list of numbers, such as 0,0.01,0.02") from exc


def _writable(output: Path) -> None:
    """Before minutes are spent."""
    if output.suffix.lower() not in (".json", *PAGES):
        raise InputError(f"{output}: a report is .html or .json")


def _written(output: Path, told: Any) -> None:
    from ascribe.bundle.written import write_whole

    write_whole(output, json.dumps(told, indent=1) + "\n")


def _show_importance(told: Any) -> None:
    from rich.table import Table

    low, high = told.interval()
    table = Table("feature", f"{told.method}{f' in {told.unit}' if told.unit else ''}", "95 % interval", box=None)
    for j in told.order:
        table.add_row(told.features[j], f"{told.values[j]:.4g}", f"{low[j]:.4g} to {high[j]:.4g}")
    out.print(table)


def _show_comparison(told: Any) -> None:
    from rich.table import Table

    from ascribe.report.written import number

    table = Table("method", "ms a row", "gain", "missed", "moves", box=None)
    for j in told.judged:
        means = [number(m.mean, m.stderr) for m in (j.gain, j.missed, j.sensitivity)]
        table.add_row(j.method, number(1e3 * j.seconds), *means)
    out.print(table)
    for j in told.judged:
        if j.refused:
            err.print(f"{j.method}: {j.refused}", highlight=False)
