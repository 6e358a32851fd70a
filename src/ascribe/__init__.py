"""Ascribe says how much of a prediction each input is responsible for.

    open(path_or_uri)            a bundle or registry entry -> OpenModel (.predict, .explain, .energy)
    explain(predict, X, ...)     attributions of any function
    fit_conditional(X, ...)      a law of hidden features, for `explain`            (extra: train)
    contrast(a0, a1)             why a prediction changed, with its standard error
    mse_v(predict, law, X)       how well a law predicts from part of the inputs
    importance(model, X, y)      what each feature is worth over many rows, with intervals
    partial_dependence(model, X, feature)    the prediction over a grid of one feature, or of two
    compare(model, X)            every method that a model offers, judged on the same rows
    probe(model, X)              attacks of growing size, and how far explanations move while the prediction stays
    Client(url), AsyncClient     a running server, by REST or gRPC                  (REST: extra client)
    say(a, row, language)        a row, or all of them, in words: "en" or "zh"
    to_frame(a), to_shap(a)      an attribution as a frame, or as a shap.Explanation
    Attribution                  the answer: values, base value, prediction, errors, a status of each row
    AscribeError                 the root of all that is raised: one line that says what to do

Each name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ascribe.api import OpenModel, contrast, explain, fit_conditional, mse_v, open, say, to_frame, to_shap
    from ascribe.client import AsyncClient, Client
    from ascribe.core.attribution import Attribution
    from ascribe.core.errors import AscribeError
    from ascribe.measures import compare, importance, partial_dependence, probe

    __version__: str

__all__ = [
    "AscribeError", "AsyncClient", "Attribution", "Client", "OpenModel", "compare", "contrast", "explain",
    "fit_conditional", "importance", "mse_v", "open", "partial_dependence", "probe", "say", "to_frame", "to_shap",
]  # fmt: skip

_HOMES = {
    "AscribeError": "ascribe.core.errors", "Attribution": "ascribe.core.attribution", "AsyncClient": "ascribe.client",
    "Client": "ascribe.client", "compare": "ascribe.measures", "importance": "ascribe.measures",
    "partial_dependence": "ascribe.measures", "probe": "ascribe.measures",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("ascribe")
    if name not in __all__:
        raise AttributeError(f"module 'ascribe' has no attribute '{name}'; it offers {', '.join(__all__)}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "ascribe.api")), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
