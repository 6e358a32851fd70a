"""Which cells are run without `--all`: what the page shows, not three hours of one core."""

from __future__ import annotations

import re

__all__ = ["shown"]

SHOWN = tuple(
    re.compile(pattern)
    for pattern in (
        r"truth/(gaussian8_rho[59]0|clusters8|burr10)_5000_(exact|gaussian|copula|combined|emshap)(_draw\d)?",
        r"truth/gaussian8_rho50_5000_(independent|empirical)(_draw\d)?",
        r"recipes/A10_rho[159]0_2000_(exact|gaussian|combined|emshap)",
        r"recipes/A10_rho50_2000_(independent|copula|empirical)",
        r"recipes/A10_rho[15]0_2000_combined_copula",
        r"recipes/[EF]3_c\d+_2000_\w+",
        r"recipes/D10_2000_(exact|independent|emshap)",
        r"tables/\w+",
        r"calibration/n8_\w+",
        r"servers/\w+",
        r"marginal/(marginal_mlp12_\d+|sparse_30)_(?!shap_sampling)\w+",
    )
)


def shown(group: str, name: str) -> bool:
    """Whether a cell is one of them."""
    return any(pattern.fullmatch(f"{group}/{name}") for pattern in SHOWN)
