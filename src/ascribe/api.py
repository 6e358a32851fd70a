"""What `import ascribe` offers. Frames come in and go out here; inside, everything is arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from ascribe.bundle.archive import Bundle, open_directory
from ascribe.core.attribution import Attribution
from ascribe.core.conditional import Conditional, Gaussian, Independent
from ascribe.core.contrast import contrast
from ascribe.core.copula import GaussianCopula
from ascribe.core.empirical import Empirical
from ascribe.core.errors import InputError, extra
from ascribe.core.explainers import explain as _explain
from ascribe.core.features import Feature
from ascribe.core.judge import MseV
from ascribe.core.judge import mse_v as _mse_v
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.regression import Regression
from ascribe.core.scaling import refuse_unheld
from ascribe.core.sentences import say
from ascribe.core.stack import VALUES
from ascribe.frames import checked, matrix, named, to_frame, to_shap
from ascribe.opened import Groups, OpenModel, frozen, timed
from ascribe.valued import valued

__all__ = [
    "OpenModel", "contrast", "explain", "fit_conditional", "mse_v", "open", "say", "to_frame", "to_shap",
]  # fmt: skip


def open(path_or_uri: str | Path, verify_key: str | Path | None = None) -> OpenModel:
    """A bundle's directory, or `REGISTRY#NAME[@CHANNEL]` (`file:///srv/registry#node-power@production`).

    Every file is verified against its sha256 before it is parsed, and with `verify_key`, a public key's file, what a
    registry holds against its signature. Raises NotFound, BundleError, TamperedError.

    >>> open("runs/demo/bundle").explain(rows, tier="fast").values  # doctest: +SKIP
    >>> open("runs/nowhere")
    Traceback (most recent call last):
    ascribe.core.errors.NotFound: there is no bundle at runs/nowhere: `ascribe train ... --out runs/nowhere` writes one
    """
    from ascribe.bundle.runtime import load

    bundle = _bundle_at(str(path_or_uri), None if verify_key is None else Path(verify_key))
    return OpenModel(load(bundle), bundle)


def _bundle_at(place: str, verify_key: Path | None = None) -> Bundle:
    """The bundle at a directory or registry entry; nothing is parsed but its manifest."""
    registry, sign, spec = place.partition("#")
    if sign:
        from ascribe.bundle.registry import Registry, split_model

        return Registry(registry, verify_key).resolve(*split_model(spec))
    return open_directory(Path(urlsplit(place).path if place.startswith("file:") else place).expanduser())


def explain(
    predict: Callable[[np.ndarray], np.ndarray],
    X: Any,
    conditional: Conditional | None = None,
    background: Any = None,
    estimator: str = "auto",
    value: str = "auto",
    budget: int | None = None,
    samples: int = 64,
    target_stderr: float | None = None,
    seed: int = 0,
    groups: Groups | None = None,
    step: Callable[[], None] | None = None,
) -> Attribution:
    """Shapley values of any function `predict (rows, n) -> (rows,)`, in its unit:

        phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S)),      sum of phi = f(x) - v(empty)

    With `conditional` (from `fit_conditional`): of the conditional game, v(empty) being the mean of f over
    `background` or else over the conditional's training rows. With `background` alone: of the marginal game.

    `value`: v(S) from "completions", a "surrogate" network fitted to `predict` (at the first call; half a minute), or
    both "stacked" by held-out rows; "auto" takes what was judged best for this function if a surrogate has been fitted
    for it, and completions otherwise. `target_stderr`, in the unit of `predict`: spend until every standard error is
    below it, at most `budget` coalitions. Shapley 1953; Lundberg and Lee 2017; Aas, Jullum and Loland 2021.

    Raises InputError for rows, columns or options that do not fit, BudgetError, MissingExtra for a surrogate without
    torch. A bad row is a status, not an error.

    >>> import numpy as np
    >>> rows = np.random.default_rng(0).standard_normal((200, 3))
    >>> a = explain(lambda X: X[:, 0] + 2 * X[:, 1], [[1.0, 1.0, 1.0]], background=rows - rows.mean(axis=0))
    >>> a.values.round(6).tolist()
    [[1.0, 2.0, 0.0]]
    """
    if conditional is None and background is None:
        raise InputError("give conditional=ascribe.fit_conditional(X_train), or background= rows for the marginal game")
    rows, names = matrix(X)
    reference = None if background is None else matrix(background, names if named(background) else None)[0]
    known = reference if conditional is None else conditional.background
    for what, held in (("background", reference), ("the conditional", known)):
        if held is not None and held.shape[1] != rows.shape[1]:
            raise InputError(f"{what} has {held.shape[1]} columns, X has {rows.shape[1]}")
    if reference is not None and not len(reference):
        raise InputError("background holds no rows: give some hundred that the model usually meets")
    if seed < 0:
        raise InputError(f"seed is a number from 0, not {seed}")
    if value not in ("auto", *VALUES) or (conditional is None and value != "auto"):
        given = "" if conditional is not None else " with conditional=; of a background there is one value"
        raise InputError(f"value is one of auto, {', '.join(VALUES)}{given}: not '{value}'")
    asked = checked(predict)
    options = Options(estimator, budget, samples, seed, frozen(groups), value, target_stderr)
    base = None if reference is None else float(asked(reference).mean())
    model = Model(tuple(Feature(name) for name in names), asked, reference, conditional, base)
    if conditional is None:
        return timed(lambda: _explain(model, rows, "kernel_shap", options, step))
    whole = valued(model, options)
    return timed(lambda: _explain(whole, rows, "conditional_shap", options, step))


def mse_v(
    predict: Callable[[np.ndarray], np.ndarray],
    conditional: Conditional,
    X_test: Any,
    seed: int = 0,
    coalitions: int = 32,
    samples: int = 64,
) -> MseV:
    """How well a conditional predicts a function from part of its inputs, without a known truth:

        MSE_v = mean over rows and random proper S of (f(x) - v(S))^2        in the unit of `predict`, squared

    A number with `.rows` (one value a row) and `.stderr`. Its level means nothing: compare laws on the same rows and
    seed, paired by `.rows`. Raises InputError for rows of another width, or not finite. Frye et al. 2021.

    >>> rows = np.random.default_rng(0).standard_normal((200, 2)) @ np.array([[1.0, 0.9], [0.0, 0.4]])
    >>> laws = [fit_conditional(rows[:100], name) for name in ("gaussian", "independent")]
    >>> near, far = (mse_v(lambda X: X[:, 0], law, rows[100:]) for law in laws)
    >>> near < far, near.rows.shape
    (True, (100,))
    """
    rows = matrix(X_test)[0]
    if rows.shape[1] != conditional.background.shape[1] or not np.isfinite(rows).all():
        raise InputError(f"X_test must be finite rows of {conditional.background.shape[1]} features, got {rows.shape}")
    return _mse_v(checked(predict), conditional, rows, coalitions, samples, seed)


def fit_conditional(X: Any, method: str = "emshap", seed: int = 0, max_seconds: float | None = None) -> Conditional:
    """A law of hidden features given observed ones, fitted on rows in natural units.

    `emshap` and `surrogate` (extra: train), `gaussian`, `copula`, `empirical`, or `independent` (ignores what is
    observed). A `surrogate` is a regression of the function that is explained: it is fitted when one is first asked.
    `max_seconds` bounds the fit of `emshap` or the surrogate; the result then depends on the machine's speed.

    Raises InputError for an unknown method, too few rows or values that are missing, MissingExtra without torch. Lu et
    al., arXiv 2404.01078 (emshap); Frye et al. 2021 (surrogate); Aas, Jullum and Loland 2021 (the others).

    >>> rows = np.random.default_rng(0).standard_normal((500, 2)) @ np.array([[1.0, 0.9], [0.0, 0.4]])  # x1 follows x0
    >>> law = fit_conditional(rows, method="gaussian")
    >>> a = explain(lambda X: X[:, 0], [[1.0, 1.0]], conditional=law)
    >>> (a.values > 0.3).tolist()  # x1 is not used, and gets credit for what it tells
    [[True, True]]
    """
    rows, names = matrix(X)
    if not len(rows):
        raise InputError("there are no training rows: give some hundred")
    if not np.isfinite(rows).all():
        raise InputError("training rows hold missing values: clean them first (`ascribe train` does)")
    if method in OF_SCORES:
        refuse_unheld(rows, names)
    if method == "emshap":
        with extra("train", "torch"):
            from ascribe.train.values.conditional import fit_conditional as fit_emshap
        return fit_emshap(rows, seed, max_seconds)
    if method == "surrogate":
        with extra("train", "torch"):
            from ascribe.train.values.served import fit_value
        return Regression(rows, lambda predict: fit_value(predict, Independent(rows), seed, max_seconds)[0])
    if method in LAWS:
        return LAWS[method](rows)
    raise InputError(f"unknown method '{method}': use emshap, surrogate, {', '.join(LAWS)}")


OF_SCORES = ("emshap", "surrogate", "copula")

LAWS: dict[str, Callable[[np.ndarray], Conditional]] = {  # independent points: error bars hold
    "gaussian": lambda X: replace(Gaussian.fit(X), quasi=False),
    "copula": lambda X: replace(GaussianCopula.fit(X), quasi=False),
    "empirical": Empirical.fit,
    "independent": Independent,
}
