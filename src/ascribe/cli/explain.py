"""`ascribe explain` and `ascribe plot`: an answer as a file, as words, as a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ascribe.cli.how import How
from ascribe.cli.options import Bundle, Output, Space, listed
from ascribe.cli.rows import Given, given
from ascribe.cli.spread import spread
from ascribe.console import bars, err, out
from ascribe.core.errors import InputError, extra

__all__ = ["explain", "plot"]

MOST_SAID = 5  # rows that are said one by one
LOOKS = {"attention": "attention", "features": "grad_cam"}  # kinds of picture that a method of their own makes

Name = Annotated[str | None, typer.Option("--name", help="column that names rows, such as node")]
Say = Annotated[str | None, typer.Option("--say", help="en or zh: the answer in words")]


@spread
def explain(
    bundle: Bundle,
    data: Annotated[Path, typer.Argument(help="rows: Parquet, CSV (.gz), Arrow; pictures or their folder; .txt")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="OUT.parquet")] = None,
    target: Output = None,
    space: Space = None,
    *,
    how: How,
    name: Name = None,
    say: Say = None,
) -> None:
    """Explain every row of a file: prediction, base_value, a column per feature, stderr_<feature>, value_<feature>,
    status. `ascribe plot OUT.parquet` draws it.
    """
    from ascribe import api
    from ascribe.bundle.answers import write_answer

    if output is None and say is None:
        raise InputError("say where the answer goes: -o OUT.parquet, or --say en")
    if output is not None and output.suffix != ".parquet":
        raise InputError(f"{output}: the answer is a Parquet file, name it .parquet")
    if say is not None:
        _language(say)
    model = api.open(bundle).output(target, space)
    answer = _answered(model, given(model.model.layout.kind, data, name), how)
    a = answer.attribution
    if output is not None:
        write_answer(answer, output)
    for text in _said(answer, say):
        out.print(text, highlight=False, markup=False, soft_wrap=True)
    counts = {word: int((a.status == word).sum()) for word in dict.fromkeys(a.status.tolist())}
    told = ", ".join(f"{n} {word}" for word, n in counts.items())
    spent = f"{a.info.budget} coalitions x {a.info.samples} completions" if a.info.budget else "one pass"
    err.print(f"{len(a)} rows ({told}), tier {a.info.tier}, {spent}" + (f" -> {output}" if output else ""))


@spread
def plot(
    file: Annotated[str, typer.Argument(help="answer of `ascribe explain`; or bundle folder, REGISTRY#NAME[@CHANNEL]")],
    data: Annotated[
        Path | None, typer.Argument(help="rows to explain, where the first is a bundle: table, pictures, .txt")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="PNG, SVG or HTML (interactive)")] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            help="waterfall, force, bar, beeswarm, heatmap, dependence, image, text, days, attention, features",
        ),
    ] = "",
    rows: Annotated[
        str | None,
        typer.Option("--rows", help="row numbers, such as 3,17 (waterfalls of a bundle: busiest and idlest)"),
    ] = None,
    top: Annotated[int | None, typer.Option("--top", min=1, help="players shown one by one; others together")] = None,
    feature: Annotated[str, typer.Option("--feature", help="of a dependence (default: the most important)")] = "",
    colour: Annotated[str, typer.Option("--colour", help="feature that colours a dependence")] = "",
    order: Annotated[str, typer.Option("--order", help="rows of a heatmap by similarity or time")] = "similarity",
    opacity: Annotated[float, typer.Option("--opacity", min=0, max=1, help="of an overlay")] = 0.75,
    target: Output = None,
    space: Space = None,
    *,
    how: How,
    name: Name = None,
    say: Say = None,
) -> None:
    """Draw an answer file, or rows of a file explained by a bundle."""
    with extra("report", "matplotlib"):
        from ascribe.report.drawn import View
        from ascribe.report.kinds import SUFFIXES, draw, known, save
    if output is None:
        raise InputError("say where the picture goes: -o OUT.png, OUT.svg or OUT.html")
    if output.suffix.lower() not in SUFFIXES:
        raise InputError(f"{output}: end it in {', '.join(SUFFIXES[:3])}")
    if say is not None:
        _language(say)
    known(kind)
    if data is None:
        of_rows = {"target": target, "space": space, "name": name}
        _refuse_unread([*how.chosen(), *(option for option, text in of_rows.items() if text is not None)])
        answer = _file(file)
        kind = kind or {"image": "image", "text": "text"}.get(answer.layout.kind, "waterfall")
        chosen = None if rows is None else [_row(text, len(answer.attribution)) for text in listed(rows)]
    else:
        from ascribe import api

        model = api.open(file).output(target, space)
        layout = model.model.layout.kind
        kind = kind or {"image": "image", "text": "text"}.get(layout, "waterfall")
        held = given(layout, data, name)
        picked = None if rows is None else [_row(text, held.count) for text in listed(rows)]
        if picked is None and kind == "waterfall" and layout == "table":
            picked = _ends(model, held)
        held = held if picked is None else held.take(picked)
        if kind in LOOKS and how.method is None:
            how = replace(how, method=LOOKS[kind])
        answer = _answered(model, held, how)
        chosen = None if picked is None else list(range(held.count))
    view = View(None if chosen is None else tuple(chosen), top, feature, colour, order, how.layer, opacity)
    save(draw(answer, kind, view), answer, output, "\n".join(_said(answer, say, chosen)), say or "en")
    err.print(f"-> {output}")


def _refuse_unread(options: list[str]) -> None:
    """How to explain is settled in an answer file; its layers alone may still be chosen from."""
    if unread := ["--" + option.replace("_", "-") for option in options if option != "layer"]:
        raise InputError(
            f"an answer file is drawn as it was explained: leave {', '.join(unread)} out, or give a bundle and its rows"
        )


def _file(file: str) -> Any:
    from ascribe.bundle.answers import read_answer

    path = Path(file)
    if path.suffix != ".parquet":
        what = "a bundle" if path.is_dir() or "#" in file else "no answer file (.parquet)"
        raise InputError(f"{file} is {what}: draw an answer of `ascribe explain`, or give a bundle and its rows")
    return read_answer(path)


def _answered(model: Any, held: Given, how: How) -> Any:
    """The answer, with what its pictures need."""
    from ascribe.core.answer import Answer

    with bars(keep=False) as shown:
        task = shown.add_task("explaining", total=held.count)
        a = how.ask(model, held.rows, lambda: shown.advance(task))
    matrices, maps = None, {}
    if a.info.method == "attention":
        from ascribe.core.attention import matrices as weights

        matrices = weights(model.model, a.data)
    elif a.info.method == "grad_cam":
        asked = model.model.settled(a.data)
        maps = {a.info.value: asked.layers.at(a.data, a.info.value).values}
    return Answer(a, tuple(model.schema), held.labels, matrices, maps)


def _ends(model: Any, held: Given) -> list[int]:
    """The rows of the largest and the smallest prediction. Raises InputError where no row has one."""
    import numpy as np

    f = model.predict(held.rows)
    if np.isnan(f).all():
        raise InputError("no row can be predicted, so none is the busiest: `ascribe explain` says why, row by row")
    return [int(np.nanargmax(f)), int(np.nanargmin(f))]


def _said(answer: Any, language: str | None, rows: list[int] | None = None) -> list[str]:
    """Few rows one by one; many together."""
    from ascribe.core.sentences import say

    if language is None:
        return []
    chosen = list(range(len(answer.attribution))) if rows is None else rows
    if len(chosen) > MOST_SAID:
        return [say(answer, None, language)]
    return [say(answer, row, language) for row in chosen]


def _language(word: str) -> None:
    from ascribe.core.sentences import LANGUAGES

    if word not in LANGUAGES:
        raise InputError(f"no language '{word}': use {' or '.join(LANGUAGES)}")


def _row(text: str, count: int) -> int:
    if not text.isdecimal() or int(text) >= count:
        raise InputError(f"'{text}' is no row: the file has rows 0 to {count - 1}")
    return int(text)
