"""EmSHAP where the truth is known."""

from __future__ import annotations

from statistics import mean, median

from benchmarks.page.text import table
from benchmarks.record import Raw


def text(raw: Raw) -> str:
    d = raw("gaussian")
    floor = d["exact_sampler_plain_draws"]

    def line(name: str, error: float, strong: str = "") -> tuple[str, ...]:
        return name, f"{error:.4f}", f"{strong}{error / floor:.2f}{strong}"

    lines = [
        ("true law, plain draws (the exact sampler)", f"{floor:.4f}", "1"),
        line("true law, quasi-random draws", d["exact_sampler_quasi_random"]),
        line("Gaussian with fitted moments, quasi-random (knows the family)", d["fitted_gaussian_quasi_random"]),
        line(f"**EmSHAP**, {d['completions']} completions", mean(d["emshap"]), "**"),
        line("**EmSHAP**, 16 completions", mean(d["emshap_16_completions"]), "**"),
        line("marginal game", d["marginal_game"]),
    ]
    return f"""## Accuracy where the truth is known

8 equicorrelated normal features, rho 0.5, 5,000 training rows, f with products and nonlinear terms, all 256
coalitions, {d["completions"]} completions, {d["explicands"]} explicands, 5 seeds of noise (every ten rows their
own), closed-form truth. Mean absolute error of the Shapley values (mean |phi| is {d["mean_abs_phi"]:.3f}):

{table(("conditional", "error", "over the exact sampler"), lines)}
EmSHAP can be below the plain exact sampler because a control variate takes most of the noise out of its
completions. On a normal table it finds one component, refuses the network's correction and is then fitted on every
row, so that the fits of three seeds are one. Fits took {median(d["emshap_fit_s"]):.0f} s each.
"""
