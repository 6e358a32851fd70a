"""Games as `ascribe.explain` plays them, where v(S) itself is asked for: completions, surrogate, stacked, auto."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ascribe.core.control import fit_control
from ascribe.core.games import ConditionalGame

__all__ = ["completed", "played", "values_of"]

TOGETHER = 1 << 21  # completions of one call


def completed(f: Any, law: Any, samples: int, seed: int = 0, control: bool = True) -> ConditionalGame:
    """Completions, with the control variate where the law allows one."""
    return ConditionalGame(f, law, samples, seed, 0.0, control=fit_control(f, law) if control else None)


def played(f: Any, law: Any, samples: int) -> tuple[dict[str, ConditionalGame], dict[str, Any]]:
    """By value function, over one fit of the surrogate; and what was chosen, with its reason."""
    from ascribe.train.values.served import fit_value

    surrogate, choice = fit_value(f, law)
    game = completed(f, law, samples)
    games = {"emshap": game, "surrogate": replace(game, value="surrogate", surrogate=surrogate)}
    games["emshap_plain"] = replace(game, control=None)
    if choice is None:
        return games, {}
    games["stacked"] = replace(game, value="stacked", surrogate=surrogate, share=np.array(choice.share))
    games["auto"] = games["emshap" if choice.value == "completions" else choice.value]
    return games, {"chosen": choice.value, "share": list(choice.share), "reason": choice.reason}


def values_of(game: ConditionalGame, X: np.ndarray, S: np.ndarray) -> np.ndarray:
    """v of rows X (b, n) under coalitions S (m, n), a few coalitions at a time: (b, m)."""
    step = max(1, TOGETHER // game.samples)
    V = np.empty((len(X), len(S)))
    for k in range(0, len(S), step):
        for i, x in enumerate(X):
            V[i, k : k + step] = game.values(x, S[k : k + step]).v
    return V
