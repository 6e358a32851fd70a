"""Probes: what a small change of a row can do to a prediction, and to its explanation.

attack      FGSM and PGD: the row within a ball that moves the prediction most         `attack`
robustness  accuracy, or how far predictions move, against the size of the ball         `robustness`
stability   how far the explanation moves while the prediction does not                 `stability`
"""

from ascribe.core.probes.attack import ATTACKS, attack
from ascribe.core.probes.record import Probes
from ascribe.core.probes.robustness import EPSILONS, Robustness, robustness
from ascribe.core.probes.stability import Stability, stability

__all__ = ["ATTACKS", "EPSILONS", "Probes", "Robustness", "Stability", "attack", "robustness", "stability"]
