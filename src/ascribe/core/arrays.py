"""Array types with named axes.

Letters, everywhere: `b` rows, `n` features, `p` players, `m` coalitions, `s` completions per coalition,
`r` replicates of the completion noise, `c` mixture components, `l` rank of a factor, `k` knots of a table.
`pytest --jaxtyping-packages=ascribe.core,beartype.beartype` checks the names at run time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["Bool", "Float", "Predict", "np"]

Predict = Callable[[np.ndarray], np.ndarray]
"""A model as a function: rows `X (b, n)` in natural units -> predictions `(b,)`."""
