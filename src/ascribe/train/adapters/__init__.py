"""Adapters: models of other libraries, read into what Ascribe serves. One file a library and format, one row here.

Each is imported when a file of its kind is read: a library that is not used need not be there.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ascribe.core.errors import InputError, MissingExtra
from ascribe.train.adapters.adopted import Adopted, Asked

__all__ = ["KINDS", "read_model"]

KINDS: dict[str, str] = {
    ".onnx": "onnx",
    ".pt2": "torch",
    ".pt": "torch",
    ".pth": "torch",
    ".th": "torch",
    ".json": "xgboost",
    ".ubj": "xgboost",
    ".txt": "lightgbm",
    ".joblib": "sklearn",
    ".pkl": "sklearn",
    ".pickle": "sklearn",
}


def read_model(path: Path, asked: Asked) -> Adopted:
    """A model's file by its suffix. Raises InputError for another kind or a broken file, MissingExtra."""
    if path.is_dir():
        raise InputError(f"{path} is a folder: name the model's file in it")
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"{path} is of no kind known here ({', '.join(KINDS)}): save the model as one of them")
    try:
        adapter = import_module(f"ascribe.train.adapters.{kind}")
    except ModuleNotFoundError as exc:
        raise MissingExtra(f"a {path.suffix} file needs {exc.name}: pip install 'ascribe[train]'") from exc
    found: Adopted = adapter.read(path, asked)
    return found
