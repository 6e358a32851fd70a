"""What a file with the weights of its splits gives away of the rows that it was trained on."""

from __future__ import annotations

import numpy as np

from ascribe.core.federated.structure import Structure

__all__ = ["from_weights"]


def from_weights(structure: Structure, weight: np.ndarray, rows: float, penalty: float) -> np.ndarray:
    """Training rows of each node of tree 0 of a binary classifier, from nothing but the guest's weights (nodes of tree
    0,), before the learning rate; `rows` in all, `penalty` lambda. With w = -G / (H + lambda) and H = rows / 4 at the
    root (p = 1/2 everywhere):

        H_l = ((w_p - w_r)(H_p + lambda) - w_l lambda) / (w_l - w_r),     H_r = H_p - H_l,     count = 4 H

    What a file with the weights of splits gives away. NaN below a split whose children weigh the same.
    """
    hessian = np.full(len(weight), np.nan)
    hessian[0] = rows / 4
    for level in structure.levels:
        for n in level[(structure.tree[level] == 0) & ~structure.leaf[level]]:
            a, b = structure.left[n], structure.right[n]
            with np.errstate(divide="ignore", invalid="ignore"):
                hessian[a] = ((weight[n] - weight[b]) * (hessian[n] + penalty) - weight[a] * penalty) / (
                    weight[a] - weight[b]
                )
            hessian[b] = hessian[n] - hessian[a]
    return 4 * hessian
