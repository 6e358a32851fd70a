"""What answers v(S) for a function that somebody brings: fitted beside a law when it is first asked for, and kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ascribe.core.conditional import Conditional
from ascribe.core.control import fit_control
from ascribe.core.errors import extra
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.regression import Regression, known_by

__all__ = ["valued"]

FUNCTIONS_KEPT = 4  # whose control variate and surrogate a law remembers

_beside: WeakKeyDictionary[Conditional, dict[Any, dict[str, Any]]] = WeakKeyDictionary()


def valued(model: Model, options: Options) -> Model:
    """The model with what answers v(S) beside completions: fitted once for a law and a function, the last few kept."""
    law, predict = model.conditional, model.predict
    assert law is not None and predict is not None
    if isinstance(law, Regression):
        return replace(model, surrogate=law.surrogate_of(predict), value="surrogate")
    functions = _beside.setdefault(law, {})
    kept = functions.setdefault(known_by(predict, law.background), {})
    while len(functions) > FUNCTIONS_KEPT:
        functions.pop(next(iter(functions)))
    if options.value in ("surrogate", "stacked") and "value" not in kept:
        with extra("train", "torch"):
            from ascribe.train.values.served import fit_value
        kept["value"] = fit_value(predict, law, options.seed)
    if options.value != "surrogate" and "control" not in kept:
        kept["control"] = fit_control(predict, law)
    model = replace(model, control=kept.get("control"))
    if "value" not in kept:
        return model
    surrogate, choice = kept["value"]
    if choice is None:
        return replace(model, surrogate=surrogate)
    return replace(model, surrogate=surrogate, value=choice.value, share=np.array(choice.share))
