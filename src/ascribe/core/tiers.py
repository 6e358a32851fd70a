"""Tiers of latency: from a wish (a tier, a time, an error) to a method and its options.

fast       one pass of a network that learnt attributions
balanced   a compiled plan; values from the surrogate or from completions, as was judged
accurate   more coalitions, read row by row; completions and surrogate stacked, where that was judged best
exact      all coalitions, to 14 players
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ascribe.core import explainers
from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
from ascribe.core.errors import BudgetError, CapabilityError, InputError
from ascribe.core.estimators import MAX_EXACT_PLAYERS
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.spending import players as counted

__all__ = ["ACCURATE_BUDGET", "TIERS", "explain", "named", "offered", "wished", "within"]

TIERS = ("fast", "balanced", "accurate", "exact")
METHOD = "conditional_shap"  # whose tiers these are
ACCURATE_BUDGET, ACCURATE_SAMPLES = 1024, 32

Step = Callable[[], None]


def offered(model: Model) -> tuple[str, ...]:
    """Tiers that a model can be asked for, fastest first."""
    compiled = model.compiled or {}
    whole = {"predict", "conditional"} <= model.offers
    can = {
        "fast": "fast" in compiled or {"predict", "amortized"} <= model.offers,
        "balanced": "balanced" in compiled,
        "accurate": whole,
        "exact": whole and len(model.features) <= MAX_EXACT_PLAYERS,
    }
    return tuple(tier for tier in TIERS if can[tier])


def named(model: Model, method: str | None, tier: str | None, max_latency_ms: float | None) -> str:
    """The method that a caller named, or the model's usual one; with a tier or a time conditional_shap.

    Raises InputError for a tier beside a time, and for another method beside either.
    """
    if tier and max_latency_ms is not None:
        raise InputError("name a tier or a max_latency_ms, not both")
    if not tier and max_latency_ms is None:
        return method or explainers.usual(model)
    if method and method != METHOD:
        wish = "tier" if tier else "max_latency_ms"
        raise InputError(f"name a method or a {wish}, not both: tiers are of {METHOD}, not of {method}")
    return METHOD


def wished(model: Model, tier: str, options: Options) -> tuple[str, Options]:
    """Method and options of a tier. What the caller chose beside the tier is kept where the tier leaves a choice.

    Raises InputError for an unknown tier, BudgetError for `exact` beyond 14 players, CapabilityError for a tier that
    the model lacks.
    """
    if tier not in TIERS:
        raise InputError(f"unknown tier '{tier}': use one of {', '.join(TIERS)}")
    players = counted(model, options)
    if tier == "exact" and not options.groups and players > MAX_EXACT_PLAYERS:
        raise BudgetError(
            f"exact needs 2^{players} coalitions, the limit is {MAX_EXACT_PLAYERS} players: "
            "ask tier 'accurate' with a target_stderr, or put features into groups"
        )
    if tier not in offered(model) and not (tier == "exact" and options.groups):
        how = {
            "fast": "train it with its one-pass explainer",
            "balanced": "run `ascribe compile` on the bundle",
        }.get(tier, "train it with `ascribe train`")
        raise CapabilityError(f"this model has no tier '{tier}' ({', '.join(offered(model)) or 'none'}): {how}")
    options = replace(options, tier=tier)
    if tier == "fast":
        return ("compiled_shap" if "fast" in (model.compiled or {}) else "amortized_shap"), options
    if tier == "balanced":
        return "compiled_shap", options
    if tier == "exact":
        return METHOD, replace(options, estimator="exact", budget=None)
    budget = options.budget or (None if options.target_stderr else max(ACCURATE_BUDGET, 32 * players))
    return METHOD, replace(options, budget=budget, samples=max(options.samples, ACCURATE_SAMPLES))


def within(model: Model, rows: int, max_latency_ms: float) -> str:
    """The most accurate tier whose measured latency for so many rows is not above a limit.

    Raises InputError where none is so fast, or none was measured.
    """
    if not max_latency_ms > 0:
        raise InputError(f"max_latency_ms is a positive number of milliseconds, not {max_latency_ms}")
    known = {tier: model.tiers[tier].ms(rows) for tier in offered(model) if tier in model.tiers}
    known = {tier: ms for tier, ms in known.items() if ms == ms}
    if not known:
        raise InputError("no latency was measured for this bundle: run `ascribe bench DIR`, or name a tier")
    good = [tier for tier, ms in known.items() if ms <= max_latency_ms]
    if not good:
        quickest = min(known, key=known.__getitem__)
        raise InputError(
            f"no tier answers {rows} rows in {max_latency_ms:g} ms: the fastest, {quickest}, takes "
            f"{known[quickest]:.3g}; send fewer rows or allow more"
        )
    return good[-1]


def explain(
    model: Model,
    X: np.ndarray,
    method: str,
    options: Options,
    tier: str | None = None,
    max_latency_ms: float | None = None,
    step: Step | None = None,
    most: int | None = None,
) -> Attribution:
    """By a tier, by a time, by an error or, with none of them, by a method. `most` coalitions may be spent on an error
    where the options name no budget.

    Raises InputError for a tier beside a time, and what `wished`, `within` and the explainers raise.
    """
    if tier and max_latency_ms is not None:
        raise InputError("name a tier or a max_latency_ms, not both")
    if max_latency_ms is not None:
        tier = within(model, len(X), max_latency_ms)
    if tier:
        method, options = wished(model, tier, options)
        if tier == "accurate" and options.target_stderr is not None:
            options = replace(options, budget=options.budget or most)
    elif options.target_stderr is not None and method == METHOD:
        free = options.estimator == "auto" and options.value == "auto" and options.budget is None
        if free and not options.groups and (held := _cheap(model, X, options)) is not None:
            if step:
                for _ in np.flatnonzero(held.status != "invalid"):
                    step()
            return held
        options = replace(options, budget=options.budget or most)
    return explainers.explain(model, X, method, options, step)


def _cheap(model: Model, X: np.ndarray, options: Options) -> Attribution | None:
    """The answer of the first compiled tier whose every standard error is below the target."""
    for tier in ("fast", "balanced"):
        if tier in (model.compiled or {}):
            held = explainers.explain(model, X, *wished(model, tier, options))
            stderr = held.stderr[np.isfinite(held.prediction)]
            if (stderr <= options.target_stderr).all():  # of rows with another remark too
                return held
    return None
