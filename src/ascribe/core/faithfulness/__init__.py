"""Faithfulness: whether values follow what the model does, so that methods can be compared on one's own model.

Nouns: a **unit** is what is hidden at a time (a feature, a pixel with its channels, a word); an **order** ranks the
units of a row, most raising first; a **curve** is the prediction while units are put in or taken out in that order; a
**comparison** is the same rows judged for several methods.

    insertion, deletion    curves and their areas, signed, never swapped       `curves`
    infidelity             what the values miss of the change under masking     `infidelity`
    max-sensitivity        how far the values move with the row                 `sensitivity`
    randomisation          whether the values notice that the weights are gone  `randomisation`
    compare                all of them for every method that a model offers     `compare`
"""

from ascribe.core.faithfulness.compare import Comparison, compare
from ascribe.core.faithfulness.curves import curves, order_of
from ascribe.core.faithfulness.infidelity import infidelity
from ascribe.core.faithfulness.randomisation import randomisation
from ascribe.core.faithfulness.sensitivity import max_sensitivity

__all__ = [
    "Comparison", "compare", "curves", "infidelity", "max_sensitivity", "order_of", "randomisation",
]  # fmt: skip
