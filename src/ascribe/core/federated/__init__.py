"""Models that several parties hold together: each has columns of the same rows, its own thresholds or weights.

structure   the shape of the trees, which all parties share, and its digest
splits      one party's own splits: one bit for each and row
leaves      what only the guest has: weights, links
table       rows of numbers and texts; the context of a call
records     Ask, Reply, Routes, Linear: all that parties say to one another
pipeline    components in order: `local_inference` everywhere, `merge_remote_inference` on the guest
party       what a host and a guest do with a request
scoring     a whole request in one process, hosts as functions
explaining  attributions from the same replies: tree_values, linear_values; players, cover
free        margin steps and the interval over all host answers
counterfactuals, publishing   what the guest's own columns could change; what may be shown to whom
"""

from ascribe.core.federated.explaining import Explainer, column_of_splits, with_counts, with_cover
from ascribe.core.federated.merged import Answer
from ascribe.core.federated.party import Party, answer, ask, local, merge
from ascribe.core.federated.pipeline import Pipeline, Step
from ascribe.core.federated.publishing import Ledger, Policy, published
from ascribe.core.federated.records import Ask, Reply, Routes, pack, unpack
from ascribe.core.federated.scoring import as_model, score
from ascribe.core.federated.table import Table

__all__ = [
    "Answer", "Ask", "Explainer", "Ledger", "Party", "Pipeline", "Policy", "Reply", "Routes", "Step", "Table", "answer",
    "as_model", "ask", "column_of_splits", "local", "merge", "pack", "published", "score", "unpack", "with_counts",
    "with_cover",
]  # fmt: skip
