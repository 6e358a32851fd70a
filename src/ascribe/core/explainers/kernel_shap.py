"""Shapley values of the marginal (interventional) game over a background, as KernelSHAP plays it.

Hidden features come from background rows whatever is observed: right when features are independent, wrong by more
than 100 completions' noise when they are correlated. The answer says `game="marginal"`.
"""

from __future__ import annotations

from ascribe.core.games import MarginalGame
from ascribe.core.model import Model
from ascribe.core.shapley import Options

__all__ = ["marginal_game"]


def marginal_game(model: Model, options: Options) -> MarginalGame:
    """Every background row is used; none is dropped in silence."""
    assert model.predict is not None and model.background is not None
    return MarginalGame(model.predict, model.background)
