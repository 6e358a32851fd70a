"""A model file of XGBoost or LightGBM, and whose columns are whose -> a half for each party."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ascribe.core.errors import InputError
from ascribe.core.federated.party import Party
from ascribe.core.federated.split import split_trees
from ascribe.core.trees import Trees
from ascribe.core.words import listed

__all__ = ["read_parties", "split_model"]


def split_model(path: Path, parties: Mapping[str, str]) -> dict[str, Party]:
    """By name of party. Raises InputError for a file that is no model of trees, and as `split_trees`."""
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise InputError(f"{path} cannot be read ({exc.strerror or exc})") from exc
    return split_trees(_trees(raw, path), parties, f"{path.stem}@{sha256(raw).hexdigest()[:12]}")


def read_parties(path: Path) -> dict[str, str]:
    """`{"column": "guest", "column": "bank"}` from JSON. Raises InputError."""
    try:
        held = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as exc:
        raise InputError(f"{path} is no map of columns to parties ({exc}): write it as JSON") from exc
    if not isinstance(held, dict) or not held or not all(isinstance(v, str) for v in held.values()):
        raise InputError(f'{path}: write {{"column": "party"}}, with "guest" for the party that has the label')
    return held


def _trees(raw: bytes, path: Path) -> Trees:
    if raw.startswith(b"tree\n"):
        from ascribe.train.adapters.lightgbm_trees import lightgbm_trees

        return _read(lambda: lightgbm_trees(raw.decode()), path, "LightGBM")
    if raw[:1] == b"{":  # JSON and UBJSON both
        import xgboost

        from ascribe.train.adapters.xgboost_trees import xgboost_trees

        return _read(lambda: xgboost_trees(xgboost.Booster(model_file=bytearray(raw))), path, "XGBoost")
    kinds = listed(["XGBoost (.json, .ubj)", "LightGBM (.txt)"])
    raise InputError(f"{path} is no model of trees that can be split: use {kinds}")


def _read(read: Any, path: Path, library: str) -> Trees:
    try:
        held: Trees = read()
    except InputError:
        raise
    except Exception as exc:  # xgboost's own errors have no common root
        raise InputError(f"{path} cannot be read as a model of {library}: save it again") from exc
    return held
