"""A kernel on coalitions for games that need several players at once.

    v(S) = sum over T of c_T 1[T in S],     c_T ~ N(0, prod over T of tau_i),     b_i = log(1 + tau_i)

so cov(v(S), v(S')) = a(S and S'), a(U) = prod over U of (1 + tau_i) = exp(sum over U of b_i). Of its odd part (s, t in
{-1, 1}^p, 1: present; x = sum b_i s_i, y = sum b_i t_i, z = sum b_i s_i t_i) the terms of one player are taken out, and
the rest is divided by `top`, its value for half of the players or so:

    k(s, t) = (e^(sum b / 4) (e^(z/4) cosh((x+y)/4) - e^(-z/4) cosh((x-y)/4)) / 2 - sum_i tau_i s_i t_i / 4) / top
    top = e^(sum b / 2) / 4

1[T in S] gives 1/|T| to each of T, so with h_i(U) = tau_i (int_0^1 prod over U without i of (1 + u tau_j) du - 1) for
i in U, else 0,

    phi_i[k(., t)] = (h_i(present) - h_i(absent)) / (2 top)
"""

from __future__ import annotations

from ascribe.core.adjusted.nodes import Slope, nodes
from ascribe.core.arrays import Float, np

__all__ = ["Unanimity"]


class Unanimity:
    """The kernel for one `b (p,)`; fields as in the formulas above."""

    def __init__(self, b: Float[np.ndarray, " p"]) -> None:
        self.b, self.tau = b, np.expm1(b)
        self.top = float(np.exp(b.sum() / 2) / 4)

    @staticmethod
    def start(p: int) -> float:
        """A b to begin with, the same for all players."""
        return min(8.0 / p, 1.0)

    def gram(self, s: Float[np.ndarray, "n p"]) -> tuple[Float[np.ndarray, "n n"], Slope]:
        """k(s, s), and its slope: d/db_i of sum(M * k(s, s)) for a symmetric M with M s = 0."""
        e = np.exp(s @ self.b / 4)
        z = np.exp((s * self.b) @ s.T / 4)
        scale = np.exp(self.b.sum() / 4) / (4 * self.top)
        both, neither = scale * z * np.outer(e, e), scale * z * np.outer(1 / e, 1 / e)
        first = scale / z * np.outer(e, 1 / e)  # a(S and not S'); its transpose is a(not S and S')
        k = both + neither - first - first.T - (s * self.tau) @ s.T / (4 * self.top)

        def slope(M: np.ndarray) -> np.ndarray:
            there = (s > 0).astype(float)
            away = 1 - there
            found = np.einsum("ni,ni->i", there, (M * both) @ there) + np.einsum("ni,ni->i", away, (M * neither) @ away)
            found -= 2 * np.einsum("ni,ni->i", there, (M * first) @ away)
            return found - (M * k).sum() / 2

        return k, slope

    def section(self, t: Float[np.ndarray, "n p"]) -> Float[np.ndarray, "n p"]:
        """phi of k(., t), one row for each t."""
        u, weight = nodes(t.shape[1])
        x = np.log1p(u[:, None] * self.tau)
        present = (t > 0).astype(float)
        there = (np.exp(present @ x.T) * weight) @ np.exp(-x) - 1
        away = (np.exp((1 - present) @ x.T) * weight) @ np.exp(-x) - 1
        return self.tau / (2 * self.top) * np.where(t > 0, there, -away)

    def variance(self) -> Float[np.ndarray, " p"]:
        """Prior variance of phi: sum over T with i, |T| > 1, of prod over T of tau / |T|^2."""
        u, weight = nodes(len(self.b))
        x = np.log1p(np.outer(u, u).reshape(-1, 1) * self.tau)
        without = np.exp(x.sum(axis=1, keepdims=True) - x)
        return self.tau / self.top * (np.outer(weight, weight).reshape(-1) @ (without - 1))
