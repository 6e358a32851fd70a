"""Components of a pipeline: one file and one row of `COMPONENTS` each.

A component prepares rows (`local_inference(context, rows) -> rows`), or reports (`local_inference(context, rows) ->
part`) and, on the guest, merges (`merge_remote_inference(context, local, remote) -> answer`).
"""

from ascribe.core.federated.components.binning import Binning
from ascribe.core.federated.components.boosted_trees import BoostedTrees
from ascribe.core.federated.components.data_transform import DataTransform
from ascribe.core.federated.components.linear import LinearModel
from ascribe.core.federated.components.one_hot import OneHot
from ascribe.core.federated.components.passing import Passing
from ascribe.core.federated.components.scale import Scale
from ascribe.core.federated.components.selection import Selection

__all__ = [
    "COMPONENTS", "Binning", "BoostedTrees", "DataTransform", "LinearModel", "OneHot", "Passing", "Scale", "Selection",
]  # fmt: skip

COMPONENTS: dict[str, type] = {
    "data_transform": DataTransform,
    "scale": Scale,
    "binning": Binning,
    "selection": Selection,
    "one_hot": OneHot,
    "passing": Passing,
    "boosted_trees": BoostedTrees,
    "linear": LinearModel,
}
