"""Array types with named axes.

Letters, everywhere: `b` rows, `n` features, `p` players, `m` coalitions, `s` completions per coalition,
`r` replicates of the completion noise, `c` mixture components, `l` rank of a factor, `k` knots of a table.
`pytest --jaxtyping-packages=ascribe.core,beartype.beartype` checks the names at run time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["Bool", "Float", "Predict", "evenly", "np"]

Predict = Callable[[np.ndarray], np.ndarray]
"""A model as a function: rows `X (b, n)` in natural units -> predictions `(b,)`."""


def evenly(count: int, most: int) -> np.ndarray:
    """Positions of at most `most` of `count` rows, evenly spread from the first to the last.

    >>> evenly(10, 4).tolist()
    [0, 3, 6, 9]
    """
    return np.linspace(0, count - 1, min(most, count)).astype(int)
