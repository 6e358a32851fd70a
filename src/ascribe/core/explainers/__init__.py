"""Explainers: one file and one row of `EXPLAINERS` each; `needs <= offers` decides who can be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.explainers.additive_terms import additive_terms
from ascribe.core.explainers.amortized_shap import amortized_shap
from ascribe.core.explainers.attention import attention
from ascribe.core.explainers.compiled_shap import compiled_shap
from ascribe.core.explainers.conditional_shap import conditional_shap
from ascribe.core.explainers.expected_gradients import expected_gradients
from ascribe.core.explainers.grad_cam import grad_cam
from ascribe.core.explainers.input_x_gradient import input_x_gradient
from ascribe.core.explainers.integrated_gradients import integrated_gradients
from ascribe.core.explainers.kernel_shap import kernel_shap
from ascribe.core.explainers.lime import lime
from ascribe.core.explainers.occlusion import occlusion
from ascribe.core.explainers.permutation_shap import permutation_shap
from ascribe.core.explainers.saliency import saliency
from ascribe.core.explainers.smooth_grad import smooth_grad
from ascribe.core.explainers.tree_shap import tree_shap
from ascribe.core.explainers.tree_shap_interventional import tree_shap_interventional
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.spending import coalitions, draws, once, orders, perturbations, steps, windows
from ascribe.core.words import listed

__all__ = ["EXPLAINERS", "Explainer", "available", "explain", "refuse_unanswered", "refuse_unused", "usual"]


Step = Callable[[], None]
Spends = Callable[[Model, Options, np.ndarray | None], int]


@dataclass(frozen=True)
class Explainer:
    """What an explainer needs of a model, and the function that answers rows (b, n).

    `elsewhere`: what it needs of a model of images or texts, which have baselines of their own (None: the same).
    `baseline`: one that is named stands in for a background. `planned`: `options.estimator` chooses how it spends its
    budget. `takes`: options that mean something to it alone or to few like it. `spends`: how often the model is asked
    for one row, at most (`core.spending`).
    """

    needs: frozenset[str]
    answer: Callable[[Model, np.ndarray, Options, Step | None], Attribution]
    elsewhere: frozenset[str] | None = None
    baseline: bool = False
    planned: bool = False
    takes: tuple[str, ...] = ()
    spends: Spends = once

    def wants(self, model: Model) -> frozenset[str]:
        """What it needs of a model of this kind of rows."""
        return self.needs if model.layout.kind == "table" or self.elsewhere is None else self.elsewhere

    def lacks(self, model: Model, options: Options | None = None) -> frozenset[str]:
        """What of its needs the model does not offer."""
        needs = self.wants(model)
        if self.baseline and options is not None and options.baseline is not None:
            needs = needs - {"background"}
        return needs - model.offers


PREDICT = frozenset({"predict"})
REFERENCE = PREDICT | {"background"}

USUAL = ("conditional_shap", "tree_shap", "integrated_gradients")
PLAYED = ("baseline", "segments")
PATH = ("baseline", "steps", "rule")

EXPLAINERS: dict[str, Explainer] = {
    "conditional_shap": Explainer(PREDICT | {"conditional"}, conditional_shap, planned=True, spends=coalitions),
    "kernel_shap": Explainer(
        REFERENCE, kernel_shap, PREDICT, baseline=True, planned=True, takes=PLAYED, spends=coalitions
    ),
    "amortized_shap": Explainer(PREDICT | {"amortized"}, amortized_shap),
    "compiled_shap": Explainer(frozenset({"compiled"}), compiled_shap),
    "permutation_shap": Explainer(REFERENCE, permutation_shap, PREDICT, baseline=True, takes=PLAYED, spends=orders),
    "lime": Explainer(REFERENCE, lime, PREDICT, takes=PLAYED, spends=perturbations),
    "occlusion": Explainer(
        REFERENCE, occlusion, PREDICT, baseline=True, takes=(*PLAYED, "window", "stride"), spends=windows
    ),
    "tree_shap": Explainer(frozenset({"trees"}), tree_shap),
    "tree_shap_interventional": Explainer(frozenset({"trees", "background"}), tree_shap_interventional),
    "integrated_gradients": Explainer(frozenset({"gradient"}), integrated_gradients, takes=PATH, spends=steps),
    "expected_gradients": Explainer(
        frozenset({"gradient", "background"}), expected_gradients, takes=("draws",), spends=draws
    ),
    "smooth_grad": Explainer(frozenset({"gradient"}), smooth_grad, takes=("draws", "noise"), spends=draws),
    "saliency": Explainer(frozenset({"gradient"}), saliency),
    "input_x_gradient": Explainer(frozenset({"gradient"}), input_x_gradient),
    "grad_cam": Explainer(frozenset({"predict", "layers"}), grad_cam, takes=("layer",)),
    "additive_terms": Explainer(PREDICT | {"terms"}, additive_terms),
    "attention": Explainer(frozenset({"predict", "attention"}), attention, takes=("layer",)),
}


def available(model: Model) -> tuple[str, ...]:
    """Explainers whose needs the model offers, in the table's order."""
    return tuple(name for name, e in EXPLAINERS.items() if not e.lacks(model))


def usual(model: Model) -> str:
    """The method of a model where nobody names one: by the law of its inputs, its trees, or its gradient. Otherwise
    "conditional_shap", whose refusal says what there is: nobody is given the marginal game without asking for it.
    """
    offered = available(model)
    return next((name for name in USUAL if name in offered), USUAL[0])


def refuse_unused(method: str, given: Iterable[str]) -> None:
    """An option that a caller named and the method does not know is a mistake. Raises InputError.

    >>> refuse_unused("integrated_gradients", ["steps"])
    """
    takes = EXPLAINERS[method].takes if method in EXPLAINERS else tuple(given)
    for name in given:
        if name not in takes:
            who = [other for other, e in EXPLAINERS.items() if name in e.takes]
            raise InputError(f"{method} takes no {name}: leave it out, or ask {listed(who)}")


def refuse_unanswered(model: Model, method: str, options: Options) -> None:
    """A method that this model cannot be asked for, whatever the rows are. Raises as `explain`."""
    if method not in EXPLAINERS:
        raise InputError(f"unknown method '{method}': use one of {', '.join(EXPLAINERS)}")
    if missing := EXPLAINERS[method].lacks(model, options):
        can = ", ".join(available(model)) or "none"
        raise CapabilityError(
            f"{method} needs {', '.join(sorted(missing))}, which this model does not offer; it can be asked for: {can}"
        )
    if options.segments is not None and model.layout.kind == "table":
        raise InputError("segments are of images, texts and windows: give groups= to put features of a table together")


def explain(
    model: Model,
    X: np.ndarray,
    method: str = "conditional_shap",
    options: Options | None = None,
    step: Step | None = None,
) -> Attribution:
    """Attributions of rows `X (b, n)` by name of method; `step` is called after each row (progress).

    Raises InputError for an unknown method or shape, CapabilityError where the model lacks what the method needs.
    """
    model, options = model.settled(X), options or Options()
    refuse_unanswered(model, method, options)
    return EXPLAINERS[method].answer(model, X, options, step)
