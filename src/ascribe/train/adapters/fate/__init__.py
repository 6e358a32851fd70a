"""Models of FATE 1.x, read once at import; serving needs none of this.

files       containers -> bytes by component, alias and file
messages    bytes or JSON twins -> messages (`train.wire.fate_pb2`, from `proto/fate`)
dsl         the order of components
semantics   what differs between versions
columns, trees, linear   Meta and Param -> components of `core.federated`
model       all of it: `read_fate`
"""

from ascribe.train.adapters.fate.model import read_fate
from ascribe.train.adapters.fate.semantics import SEMANTICS

__all__ = ["SEMANTICS", "read_fate"]
