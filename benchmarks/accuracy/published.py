"""Mean absolute errors that Aas, Jullum, Loland 2021 published for their recipes (from their raw results)."""

from __future__ import annotations

__all__ = ["PUBLISHED"]

METHODS = ("independent", "gaussian", "copula", "empirical", "combined_copula")
ROWS = {
    "A10_rho10": (0.264, 0.0433, 0.0441, 0.102, 0.0654),
    "A10_rho50": (0.663, 0.0428, 0.0492, 0.114, 0.0691),
    "A10_rho90": (0.468, 0.0239, 0.0383, 0.0820, 0.0406),
    "B10_rho10": (0.202, 0.0330, 0.0345, 0.0951, 0.0600),
    "B10_rho50": (0.538, 0.0339, 0.0379, 0.105, 0.0588),
    "B10_rho90": (0.447, 0.0201, 0.0308, 0.116, 0.0429),
    "E3_c1": (0.280, 0.102, 0.111, 0.078),
    "E3_c3": (1.75, 0.529, 0.824, 0.069),
    "E3_c10": (6.68, 0.838, 3.64, 0.091),
    "F3_c1": (0.211, 0.099, 0.105, 0.072),
    "F3_c3": (0.651, 0.245, 0.372, 0.049),
    "F3_c10": (1.81, 0.287, 1.01, 0.067),
    "D10": (1.182, 0.377, 0.526, 0.307, 0.236),
}

PUBLISHED: dict[str, dict[str, float]] = {
    name: dict(zip(METHODS, errors, strict=False)) for name, errors in ROWS.items()
} | {"D10": dict(zip(METHODS, ROWS["D10"], strict=True)) | {"combined": 0.199}}
"""By recipe and method; s = 1,000, 2,000 training rows, 100 explicands, 5 to 10 seeds."""
