"""`ascribe import`: somebody's model becomes a bundle. `ascribe quantize`: a bundle becomes a smaller one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ascribe.cli.options import REFUSED, Labels, Seed, labelled, listed
from ascribe.console import bars, err, out, show_compared, watcher
from ascribe.core.errors import InputError, extra

__all__ = ["import_model", "quantize"]


def import_model(
    file: Annotated[Path, typer.Argument(help="ONNX, .pt2, .pt/.pth/.th, XGBoost json/ubj, LightGBM txt, joblib/pkl")],
    background: Annotated[
        Path, typer.Option("--background", help="rows that the model knows: a table, a folder of pictures, sentences")
    ],
    out_dir: Annotated[Path, typer.Option("--out", help="folder of the bundle")],
    target: Annotated[
        str, typer.Option("--target", help="column of the background that is predicted, or a name for it")
    ] = "",
    output: Annotated[
        str | None, typer.Option("--output", help="class or target explained (default: the class predicted)")
    ] = None,
    labels: Annotated[Path | None, typer.Option("--labels", help="file of class labels, one a line, in order")] = None,
    features: Annotated[str | None, typer.Option("--features", help="a,b,c where the file names none")] = None,
    units: Annotated[Path | None, typer.Option("--units", help='TOML or JSON: name = "unit"')] = None,
    link: Annotated[
        str,
        typer.Option("--link", help="softmax or logistic: how margins become probabilities, if the file gives none"),
    ] = "",
    image: Annotated[str | None, typer.Option("--image", help="HEIGHTxWIDTH, where the file does not say")] = None,
    mean: Annotated[
        str | None, typer.Option("--mean", help="of pixels 0 ... 255: one number, or one a channel")
    ] = None,
    scale: Annotated[
        str | None, typer.Option("--scale", help="the input is (pixel - mean) * scale: one number, or one a channel")
    ] = None,
    channels_first: Annotated[
        bool | None, typer.Option("--channels-first/--channels-last", help="where the file does not say")
    ] = None,
    resize: Annotated[int | None, typer.Option("--resize", help="pixels of the shorter side before the cut")] = None,
    vocabulary: Annotated[
        Path | None, typer.Option("--vocabulary", help="the model reads texts: its words, one a line, or with numbers")
    ] = None,
    length: Annotated[
        int | None, typer.Option("--length", min=1, help="words of a text, if the file does not say")
    ] = None,
    module: Annotated[
        str, typer.Option("--module", help="package.module:factory that makes the network of a state dict; it is run")
    ] = "",
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="open a pickle, which may run anything, in a process of its own")
    ] = False,
    label: Labels = None,
) -> None:
    """Import a model: one bundle that predicts as its library does and can be explained and served without it."""
    with extra("train", "onnx, and the library of the model"):
        from ascribe.train.adapters.adopted import Asked
        from ascribe.train.adapters.background import Background
        from ascribe.train.adopted.adopt import AdoptOptions, adopt
        from ascribe.train.adopted.picture import picture
        from ascribe.train.adopted.vocabulary import lines, words
    if link not in ("", "softmax", "logistic"):
        raise InputError(f"--link is softmax or logistic, not '{link}'")
    asked = Asked(
        Background.at(background),
        target,
        output,
        lines(labels) if labels else (),
        listed(features),
        picture(image, mean, scale, channels_first, resize),
        words(vocabulary) if vocabulary else (),
        length,
        link,
        module,
        allow_pickle,
    )
    with bars() as shown:
        report = adopt(AdoptOptions(file, asked, out_dir, units, labelled(label)), watcher(shown))
    model = report.model
    if model.outputs:
        named = f"class '{model.output}'" if model.output else "the class predicted"
        err.print(f"{len(model.outputs)} classes in {', '.join(model.spaces)}; explains {named}", highlight=False)
    held = report.metrics.get("holdout", {})
    told = ", ".join(f"{name} {value:.4g}" for name, value in held.items() if value is not None)
    err.print(f"equal to its library within {report.parity:.1g} of the largest value", highlight=False)
    if told:
        err.print(f"on rows of the background, which it may know: {told}", highlight=False)
    out.print(f"bundle {report.version} -> {out_dir}", highlight=False)


def quantize(
    bundle: Annotated[Path, typer.Argument(help="bundle folder")],
    precision: Annotated[str, typer.Option("--precision", help="fp16, int8-dynamic, int8-static, mixed or qat")],
    out_dir: Annotated[Path, typer.Option("--out", help="folder of the new bundle")],
    calibrate: Annotated[
        Path | None,
        typer.Option("--calibrate", help="rows that the model knows (default: its background): a table, pictures"),
    ] = None,
    ranges: Annotated[
        str, typer.Option("--ranges", help="of what flows, by minmax, entropy or percentile of the calibration rows")
    ] = "minmax",
    bits: Annotated[
        int, typer.Option("--weight-bits", help="7, or 8 where every server has VNNI or is no x86: else they saturate")
    ] = 7,
    bound: Annotated[
        float | None, typer.Option("--bound", help="mixed: RMS error allowed, as a share of the answers' spread")
    ] = None,
    slopes: Annotated[
        bool, typer.Option("--slopes/--no-slopes", help="trace gradients, maps and attention again, or leave them out")
    ] = True,
    seed: Seed = 0,
) -> None:
    """Quantise a bundle's model: another bundle, with its size, times, errors and drift; exit code 3 if the gate would
    refuse it beside its original.
    """
    with extra("train", "torch, onnx and onnxruntime"):
        from ascribe.train.quantize import QuantizeOptions
        from ascribe.train.quantize import quantize as make
    options = QuantizeOptions(bundle, precision, out_dir, calibrate, ranges, bits, slopes=slopes, seed=seed)
    if bound is not None:
        options = replace(options, bound=bound)
    with bars() as shown:
        report = make(options, watcher(shown))
    show_compared(report.compared)
    for text in (*report.against, *report.good):
        err.print(f"gate: {text}", highlight=False)
    out.print(f"bundle {report.version} -> {out_dir}", highlight=False)
    if report.against:
        err.print("the gate will refuse it beside its original", style="bold red")
        raise typer.Exit(REFUSED)
