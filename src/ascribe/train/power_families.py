"""Families of the power model, a row each; apart from those of forecasters, whose training loads nothing of them."""

from __future__ import annotations

from collections.abc import Callable

from ascribe.train.families.additive import fit_additive
from ascribe.train.families.linear import fit_linear
from ascribe.train.families.power_mlp import fit_power_mlp
from ascribe.train.families.power_xgboost import fit_power_xgboost
from ascribe.train.fitted import FittedPower

__all__ = ["ADDITIVE_FAMILIES", "POWER_FAMILIES"]

# In order of preference: a later family serves only if it is better beyond chance (`pipeline._fit_power`).
POWER_FAMILIES: dict[str, Callable[..., FittedPower]] = {"power_xgboost": fit_power_xgboost, "power_mlp": fit_power_mlp}

# Models whose own terms are the explanation, exactly; by name only: they give up accuracy for being read.
ADDITIVE_FAMILIES: dict[str, Callable[..., FittedPower]] = {"additive": fit_additive, "linear": fit_linear}
