"""HeteroSecureBoost's Meta and Param -> one party's half of the trees."""

from __future__ import annotations

import numpy as np

from ascribe.core.errors import InputError
from ascribe.core.federated.components import BoostedTrees
from ascribe.core.federated.cover import summed
from ascribe.core.federated.leaves import Leaves
from ascribe.core.federated.splits import Splits
from ascribe.core.federated.structure import Structure
from ascribe.core.words import quoted
from ascribe.train.adapters.fate.messages import finite
from ascribe.train.adapters.fate.semantics import Semantics
from ascribe.train.wire import fate_pb2 as fate

__all__ = ["boosted_trees", "site_of"]

MIX = "the model was trained in mix mode (trees of single parties), which is not supported: train with std or layered"
LINKS = {"cross_entropy": "", "tweedie": "exp"}


def site_of(param: fate.BoostingTreeModelParam, role: str) -> str | None:
    """The full name of the party whose thresholds the file has; None where it has none."""
    found = {
        node.sitename
        for tree in param.trees
        for node in tree.tree
        if not node.is_leaf and node.id in tree.split_maskdict and node.sitename.partition(":")[0] == role
    }
    return found.pop() if len(found) == 1 else None


def boosted_trees(
    meta: fate.BoostingTreeModelMeta, param: fate.BoostingTreeModelParam, party: str, semantics: Semantics, strip: bool
) -> BoostedTrees:
    """Checked: numbers of trees and nodes, children, thresholds, weights. `strip`: weights of splits are left out.

    Raises InputError for what cannot be scored.
    """
    role = party.partition(":")[0]
    _modes(meta, param)
    if param.tree_num != len(param.trees) or not len(param.trees):
        raise InputError(f"the file says {param.tree_num} trees and holds {len(param.trees)}: fetch the model again")
    structure = _structure(param, party)
    splits = _splits(meta, param, structure, party, semantics)
    leaves = _leaves(meta, param, structure, strip) if role == "guest" else None
    return BoostedTrees(party, structure, splits, leaves)


def _modes(meta: fate.BoostingTreeModelMeta, param: fate.BoostingTreeModelParam) -> None:
    if "mix" in (meta.boosting_strategy, meta.work_mode) or any(plan.split("_")[0] == "1" for plan in param.tree_plan):
        raise InputError(MIX)


def _structure(param: fate.BoostingTreeModelParam, party: str) -> Structure:
    start, owner, left, right = [0], [], [], []
    parties: list[str] = []
    for i, tree in enumerate(param.trees):
        if not len(tree.tree):
            raise InputError(f"tree {i} has no root: the file does not hold all {param.tree_num} trees")
        first = start[-1]
        for j, node in enumerate(tree.tree):
            if node.id != j:
                raise InputError(f"tree {i} has node {node.id} in place {j}: fetch the model again")
            if node.is_leaf:
                if node.left_nodeid not in (-1, 0) or node.right_nodeid not in (-1, 0):
                    raise InputError(f"leaf {j} of tree {i} has children: fetch the model again")
                children, who = (-1, -1), -1
            else:
                if node.left_nodeid < 0 and node.right_nodeid < 0:
                    raise InputError(MIX)
                site = _site(node.sitename, party)
                if site not in parties:
                    parties.append(site)
                children, who = (first + node.left_nodeid, first + node.right_nodeid), parties.index(site)
            owner.append(who)
            left.append(children[0])
            right.append(children[1])
        start.append(first + len(tree.tree))
    return Structure(tuple(parties), *(np.array(a) for a in (start, owner, left, right)))


def _site(text: str, party: str) -> str:
    """A node's owner in full. Old files may name the role alone: then it is the one party of that role."""
    role, colon, number = text.partition(":")
    if role not in ("guest", "host") or (colon and not number):
        raise InputError(f"a split belongs to {quoted(text)}, which is no role:party: fetch the model again")
    if colon:
        return text
    return party if party.partition(":")[0] == role else text


def _splits(
    meta: fate.BoostingTreeModelMeta,
    param: fate.BoostingTreeModelParam,
    structure: Structure,
    party: str,
    semantics: Semantics,
) -> Splits:
    mapping = dict(param.feature_name_fid_mapping)
    if len(set(mapping.values())) < len(mapping):
        raise InputError("two columns of the model have one name: fetch the model again")
    names: dict[str, int] = {}
    directions = [dict(tree.missing_dir_maskdict) for tree in param.trees]
    feature, threshold, missing_left = [], [], []
    for n in structure.splits_of(party):
        i = int(structure.tree[n])
        j = int(n - structure.start[i])
        tree = param.trees[i]
        node = tree.tree[j]
        if j not in tree.split_maskdict:
            raise InputError(f"split {j} of tree {i} is {party}'s own and has no threshold: fetch its own file")
        if node.fid not in mapping:
            raise InputError(f"split {j} of tree {i} is on column {node.fid}, which has no name: fetch the model again")
        feature.append(names.setdefault(mapping[node.fid], len(names)))
        threshold.append(finite(tree.split_maskdict[j], f"the threshold of split {j} of tree {i}"))
        stored = directions[i].get(j, 1)
        missing_left.append(stored != 1 if semantics.zero_is_left else stored == -1)
    order = sorted(names, key=lambda name: min(f for f, held in mapping.items() if held == name))
    place = np.array([order.index(name) for name in names], dtype=int)
    flags = [(held.use_missing, held.zero_as_missing) for held in (meta, meta.tree_meta)]
    both = all(any(flag) for flag in zip(*flags, strict=True))
    return Splits(
        tuple(order), place[np.array(feature, dtype=int)], np.array(threshold), np.array(missing_left, dtype=bool),
        semantics.epsilon(party.partition(":")[0]), absent_zero=semantics.honour_flags and not both,
        zero_missing=np.full(len(feature), semantics.honour_flags and both),
    )  # fmt: skip


def _leaves(
    meta: fate.BoostingTreeModelMeta, param: fate.BoostingTreeModelParam, structure: Structure, strip: bool
) -> Leaves:
    classes = param.num_classes
    wide = max((len(node.mo_weight) for tree in param.trees for node in tree.tree), default=0)
    k = classes if classes > 2 else 1
    each = max(param.tree_dim, 1)  # trees a round, one for each class
    if wide == 0 and each != k:
        raise InputError(f"{each} trees a round do not fit {k} outputs: fetch the model again")
    if len(param.trees) % each:
        raise InputError(f"{len(param.trees)} trees are no whole rounds of {each}: fetch the model again")
    value = np.zeros((len(structure.owner), wide or 1))
    for n, node in enumerate(node for tree in param.trees for node in tree.tree):
        if not node.is_leaf and (strip or wide):
            continue
        if wide and len(node.mo_weight) != wide:
            raise InputError(f"a leaf has {len(node.mo_weight)} weights, others {wide}: fetch the model again")
        value[n] = np.array(list(node.mo_weight) if wide else [node.weight]) * meta.learning_rate
    if wide and wide != k:
        raise InputError(f"leaves have {wide} weights for {k} outputs: fetch the model again")
    init = np.array(list(param.init_score) or [0.0])
    if len(init) not in (1, k):
        raise InputError(f"init_score has {len(init)} numbers for {k} outputs: fetch the model again")
    regression = classes < 2
    link = LINKS.get(meta.objective_meta.objective, "") if regression else ("logistic" if k == 1 else "softmax")
    labels = tuple(param.classes) if k > 1 and len(param.classes) == k else tuple(str(c) for c in range(k * (k > 1)))
    output = np.arange(len(param.trees)) % each if not wide else np.zeros(len(param.trees), int)
    held = Leaves(
        value, output, np.broadcast_to(init, (k,)).copy(), link or "identity", labels, regression, not (strip or wide)
    )
    return _covered(held, param, structure)


def _covered(leaves: Leaves, param: fate.BoostingTreeModelParam, structure: Structure) -> Leaves:
    """With `leaf_count` as cover, where every tree has it. Raises InputError for a leaf without a count."""
    if not all(len(tree.leaf_count) for tree in param.trees):
        return leaves
    count = np.zeros(len(structure.owner))
    for i, tree in enumerate(param.trees):
        for j in range(len(tree.tree)):
            if tree.tree[j].is_leaf:
                if j not in tree.leaf_count:
                    raise InputError(f"leaf {j} of tree {i} has no count, others have: fetch the model again")
                count[structure.start[i] + j] = tree.leaf_count[j]
    return Leaves(**{**vars(leaves), "cover": summed(structure, count), "cover_source": "leaf_count"})
