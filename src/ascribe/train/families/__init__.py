"""Model families: one file and one row of a table each. Families do not import one another."""

from __future__ import annotations

from ascribe.train.families.power_mlp import fit_power_mlp
from ascribe.train.families.power_xgboost import fit_power_xgboost

__all__ = ["POWER_FAMILIES"]

POWER_FAMILIES = {"power_mlp": fit_power_mlp, "power_xgboost": fit_power_xgboost}
