"""`ascribe explainers`: what a bundle, or what a registry holds, can be asked."""

from __future__ import annotations

import typer

from ascribe.cli.options import Bundle, VerifyKey
from ascribe.core.words import listed

__all__ = ["explainers"]


def explainers(
    bundle: Bundle,
    verify_key: VerifyKey = None,
) -> None:
    """What a model can be asked: methods, tiers with latency and error as measured, values, estimators, outputs."""
    from ascribe import api
    from ascribe.core.repertoire import repertoire

    opened = api.open(bundle, verify_key)
    if opened.model.outputs:  # classes can all be asked the same
        typer.echo(f"{len(opened.outputs)} classes ({listed(opened.outputs)}) in {', '.join(opened.spaces)}")
    for output in (None,) if opened.model.outputs else opened.outputs:
        held = repertoire(opened.output(output).model)
        typer.echo(f"{held.output or 'the class predicted'}{f' in {held.unit}' if held.unit else ''}")
        typer.echo(f"  methods     {', '.join(held.methods) or 'none'}")
        for method, asking in held.details.items():
            takes = f"; takes {', '.join(asking.takes)}" if asking.takes else ""
            often = f"; asks {asking.spends} times a row" if asking.spends > 1 else ""
            typer.echo(f"    {method}: needs {', '.join(asking.needs)}{takes}{often}; {', '.join(asking.where)}")
        for tier, measured in held.tiers.items():
            told = "not measured: run `ascribe bench`"
            if measured is not None:
                times = [f"{ms:.3g} ms for {rows} row{'s' * (rows > 1)}" for rows, ms in measured.latency_ms.items()]
                error = [] if measured.stderr is None else [f"standard error {measured.stderr:.3g} {held.unit}".strip()]
                told = ", ".join([*times, *error]) or told
            typer.echo(f"  tier        {tier}: {told}")
        marked = [f"{value} (default)" if value == held.value else value for value in held.values]
        typer.echo(f"  values      {', '.join(marked) or 'none'}")
        typer.echo(f"  estimators  {', '.join(held.estimators) or 'none'}")
