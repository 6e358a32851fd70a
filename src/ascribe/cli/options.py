"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ascribe.core.errors import InputError

__all__ = [
    "METHODS", "REFUSED", "Baseline", "Budget", "Bundle", "Channel", "Draws", "Groups", "Labels", "Lake", "Latency",
    "Layer", "Method", "Noise", "Output", "Registry", "Rule", "Samples", "Seed", "Segments", "Space", "Steps",
    "Stride", "Target", "Tier", "Value", "VerifyKey", "Window", "labelled", "listed",
]  # fmt: skip

REFUSED = 3  # exit code of a gate that says no
METHODS = (  # as the table of explainers has them; written down here so that help opens no mathematics
    "conditional_shap", "kernel_shap", "amortized_shap", "compiled_shap", "permutation_shap", "lime", "occlusion",
    "tree_shap", "tree_shap_interventional", "integrated_gradients", "expected_gradients", "smooth_grad", "saliency",
    "input_x_gradient", "grad_cam", "additive_terms", "attention",
)  # fmt: skip

Bundle = Annotated[str, typer.Argument(help="bundle folder, or REGISTRY#NAME[@CHANNEL]")]
Labels = Annotated[list[str] | None, typer.Option("--label", help="key=value, kept in the bundle; repeatable")]
Lake = Annotated[str, typer.Option("--lake", help="directory or s3://bucket/prefix")]
Registry = Annotated[str, typer.Option("--registry", help="directory, file:///path or s3://bucket/prefix")]
Channel = Annotated[str, typer.Option("--channel", help="which pointer")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="same seed, same answer")]
Budget = Annotated[int | None, typer.Option("--budget", help="coalitions per row (default: by the number of features)")]
Samples = Annotated[int, typer.Option("--samples", help="completions per coalition")]
Groups = Annotated[
    Path | None, typer.Option("--groups", help="TOML or JSON: group = [features]; groups become players")
]
Method = Annotated[
    str | None,
    typer.Option(
        "--method",
        help=f"{', '.join(METHODS)} (default: by the law of the inputs, the trees or the gradient; "
        "`ascribe explainers` lists those of a model)",
    ),
]
Value = Annotated[str, typer.Option("--value", help="v(S) from completions, surrogate, stacked, or auto (as judged)")]
Tier = Annotated[
    str | None, typer.Option("--tier", help="fast, balanced, accurate or exact, instead of method and budget")
]
Latency = Annotated[
    float | None, typer.Option("--max-latency-ms", help="the most accurate tier measured to answer in this time")
]
Target = Annotated[float | None, typer.Option("--target-stderr", help="spend until every standard error is below it")]

Output = Annotated[
    str | None,
    typer.Option("--target", help="which prediction of several, or which class (default: the first, or as predicted)"),
]
Space = Annotated[str | None, typer.Option("--space", help="of a classifier: margin or probability")]
Segments = Annotated[int | None, typer.Option("--segments", min=1, help="superpixels of a picture that are players")]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline", help="what stands in for absent: zero, mean, black, grey, blur, padding, or a file's row"
    ),
]
Layer = Annotated[str, typer.Option("--layer", help="of attention or Grad-CAM (default: all, or the last)")]
Steps = Annotated[
    int | None, typer.Option("--steps", min=1, help="of integrated gradients (default: until they add up)")
]
Rule = Annotated[str | None, typer.Option("--rule", help="of their sum: gauss_legendre, riemann_middle ...")]
Draws = Annotated[int | None, typer.Option("--draws", min=1, help="of smooth_grad and expected_gradients")]
Noise = Annotated[float | None, typer.Option("--noise", help="of smooth_grad, as a share of each column's range")]
Window = Annotated[int | None, typer.Option("--window", min=1, help="what occlusion hides: columns, pixels or words")]
Stride = Annotated[int | None, typer.Option("--stride", min=1, help="how far its windows are apart")]
VerifyKey = Annotated[
    Path | None, typer.Option("--verify-key", help="public key (PEM): refuse versions that it did not sign")
]


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
