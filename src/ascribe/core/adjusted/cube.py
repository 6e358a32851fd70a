"""A kernel on coalitions whose Shapley values are known.

With s, t in {-1, 1}^p (1: present) and 0 <= theta_i < 1, prod_i (1 + theta_i s_i t_i) gives every term prod over T of
s_i the prior variance prod over T of theta_i. Its odd part is

    c sinh(sum_i b_i s_i t_i),     b_i = atanh theta_i,     c = prod_i sqrt(1 - theta_i^2)

one matrix product and a sinh. The terms of one player are taken out here (`odd` gives them no prior) and the rest is
divided by its value at s = t:

    k(s, t) = (c sinh(s' B t) - sum_i theta_i s_i t_i) / top,     top = c sinh(sum_i b_i) - sum_i theta_i

The Shapley value of prod over T of s_i is 2/|T| for i in T where |T| is odd, and 0 where it is even. As
1/|T| = int_0^1 u^(|T|-1) du,

    phi_i[k(., t)] = (theta_i t_i / top) (int_-1^1 prod over j != i of (1 + u theta_j t_j) du - 2)

the integral of a polynomial: Gauss-Legendre has it exactly.
"""

from __future__ import annotations

from ascribe.core.adjusted.nodes import Slope, nodes
from ascribe.core.arrays import Float, np

__all__ = ["Cube"]


class Cube:
    """The kernel for one `b (p,)`; fields as in the formulas above."""

    def __init__(self, b: Float[np.ndarray, " p"]) -> None:
        self.b, self.theta = b, np.tanh(b)
        self.log_c = float(np.log1p(-(self.theta**2)).sum() / 2)
        up, down = np.exp(b.sum() + self.log_c), np.exp(self.log_c - b.sum())
        self.sinh_top, self.cosh_top = (up - down) / 2, (up + down) / 2
        self.top = self.sinh_top - self.theta.sum()

    @staticmethod
    def start(p: int) -> float:
        """A b to begin with, the same for all players."""
        return 0.5 / np.sqrt(p)

    def gram(self, s: Float[np.ndarray, "n p"]) -> tuple[Float[np.ndarray, "n n"], Slope]:
        """k(s, s), and its slope: d/db_i of sum(M * k(s, s)) for a symmetric M with M s = 0."""
        up = np.exp((s * self.b) @ s.T + self.log_c)
        down = np.exp(2 * self.log_c) / up
        sinh, cosh = (up - down) / 2, (up + down) / 2
        k = (sinh - (s * self.theta) @ s.T) / self.top

        def slope(M: np.ndarray) -> np.ndarray:
            d_sinh = np.einsum("ni,ni->i", s, (M * cosh) @ s) - self.theta * (M * sinh).sum()
            d_top = self.cosh_top - self.theta * self.sinh_top - (1 - self.theta**2)
            return (d_sinh - (M * k).sum() * d_top) / self.top

        return k, slope

    def section(self, t: Float[np.ndarray, "n p"]) -> Float[np.ndarray, "n p"]:
        """phi of k(., t), one row for each t."""
        u, weight = nodes(t.shape[1])
        u, weight = 2 * u - 1, 2 * weight
        x = u[:, None] * self.theta
        # prod over j of (1 + x_j t_j), and 1 / (1 + x_i t_i) = (1 - x_i t_i) / (1 - x_i^2)
        product = np.exp(t @ np.arctanh(x).T + np.log1p(-(x**2)).sum(axis=1) / 2) * weight  # (n, nodes)
        shrunk = 1 / (1 - x**2)
        return (self.theta / self.top) * (t * (product @ shrunk - 2) - product @ (x * shrunk))

    def variance(self) -> Float[np.ndarray, " p"]:
        """Prior variance of phi, that of k being 1 in each s:

        sum over T with i, |T| odd and > 1, of 4/|T|^2 prod over T of theta
        """
        u, weight = nodes(len(self.b))
        r = np.outer(u, u).reshape(-1, 1) * self.theta
        plus, minus = np.log1p(r), np.log1p(-r)
        even = np.exp(plus.sum(axis=1, keepdims=True) - plus) + np.exp(minus.sum(axis=1, keepdims=True) - minus)
        return (4 * self.theta / self.top) * (np.outer(weight, weight).reshape(-1) @ (even / 2 - 1))
