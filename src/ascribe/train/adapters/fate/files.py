"""The containers of a FATE model: model cache, export (zip or directory), JSON twins, an answer of the query API.

Whatever the container, a model is a map (component, alias, file) -> bytes of a message, or its JSON twin. Archives are
taken as hostile: no names that lead out, and limits on entries and unpacked bytes.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ascribe.core.errors import InputError
from ascribe.core.words import quoted

__all__ = ["Key", "Stored", "read_files"]

KEY = re.compile(r"([^.:/]+)\.([^:/]+):(\w+)")
PLACE = re.compile(r"(?:.*/)?variables/data/([^/]+)/([^/]+)/(\w+)(\.json)?")
MOST_ENTRIES = 4096
MOST_BYTES = 512 << 20
TORN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError)

Key = tuple[str, str, str]
"""Component, alias, file."""

Stored = dict[Key, bytes | dict[str, Any]]
"""Bytes of a message, or its JSON twin."""


@dataclass(frozen=True)
class _Entry:
    name: str
    raw: bytes


def read_files(path: Path) -> Stored:
    """All messages of a model, unparsed. Raises InputError for what is none of the containers."""
    if path.is_dir():
        return _placed([*_of_directory(path)], path)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InputError(f"{path} has {size} bytes: a model file has at most {MOST_BYTES}")
        raw = path.read_bytes()
    except FileNotFoundError as exc:
        raise InputError(f"there is no file {path}") from exc
    except OSError as exc:
        raise InputError(f"{path} cannot be read ({exc.strerror or exc})") from exc
    if raw[:2] == b"PK":
        return _placed(_of_zip(path), path)
    return _of_json(raw, path)


def _of_json(raw: bytes, path: Path) -> Stored:
    try:
        held = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise InputError(f"{path} is no model of FATE 1.x: neither a model cache (JSON) nor an export (zip)") from exc
    if not isinstance(held, dict):
        raise InputError(f"{path} is no model of FATE 1.x: a model cache is one JSON object")
    if isinstance(held.get("meta"), dict) and isinstance(held.get("data"), dict):
        return _of_answer(held, path)
    out: Stored = {}
    for key, text in held.items():
        found = KEY.fullmatch(key)
        if not found or not isinstance(text, str):
            raise InputError(f"{path}: {quoted(key)} is no <component>.<alias>:<file> of a FATE 1.x model cache")
        try:
            out[found.group(1), found.group(2), found.group(3)] = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as exc:
            raise InputError(f"{path}: {quoted(key)} is not base64: fetch the model again") from exc
    return out


def _of_answer(held: dict[str, Any], path: Path) -> Stored:
    """`{"data": Param, "meta": {"meta_data": Meta, "module_name": ...}}`, of one component."""
    module, meta = held["meta"].get("module_name"), held["meta"].get("meta_data")
    if not isinstance(module, str) or not isinstance(meta, dict):
        raise InputError(f"{path} is an answer of FATE's query without meta_data and module_name: fetch it again")
    return {(module, "model", "Meta"): meta, (module, "model", "Param"): held["data"]}


def _placed(entries: list[_Entry], path: Path) -> Stored:
    """Files under variables/data; a JSON twin counts where its bytes are not there."""
    out: Stored = {}
    for entry in sorted(entries, key=lambda e: e.name.endswith(".json")):
        found = PLACE.fullmatch(entry.name)
        if not found:
            continue
        key = (found.group(1), found.group(2), found.group(3))
        if not found.group(4):
            out[key] = entry.raw
        elif key not in out:
            try:
                twin = json.loads(entry.raw)
            except (ValueError, RecursionError) as exc:
                raise InputError(f"{path}: {quoted(entry.name)} is no JSON: export the model again") from exc
            if not isinstance(twin, dict):
                raise InputError(f"{path}: {quoted(entry.name)} is no message: export the model again")
            out[key] = twin
    if not out:
        raise InputError(f"{path} holds no model of FATE 1.x: there is nothing under variables/data")
    return out


def _of_zip(path: Path) -> list[_Entry]:
    out: list[_Entry] = []
    left = MOST_BYTES
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            if len(infos) > MOST_ENTRIES:
                raise InputError(f"{path} has {len(infos)} entries: an export has at most {MOST_ENTRIES}")
            names = [info.filename for info in infos]
            if len(set(names)) < len(names):
                raise InputError(f"{path} has two entries of one name: do not use it")
            for info in infos:
                name = info.filename.replace("\\", "/")
                if name.startswith("/") or ":" in name.split("/")[0] or ".." in name.split("/"):
                    raise InputError(f"{path} names a file outside itself ({quoted(name)}): do not use it")
                if not PLACE.fullmatch(name):
                    continue
                with archive.open(info) as file:
                    raw = file.read(left + 1)
                left -= len(raw)
                if left < 0:
                    raise InputError(f"{path} unpacks to more than {MOST_BYTES} bytes: do not use it")
                out.append(_Entry(name, raw))
    except InputError:
        raise
    except TORN as exc:
        raise InputError(f"{path} is no whole zip ({exc}): export the model again") from exc
    return out


def _of_directory(path: Path) -> list[_Entry]:
    out: list[_Entry] = []
    left = MOST_BYTES
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if not PLACE.fullmatch(name) or not file.is_file():
            continue
        if file.is_symlink() or not file.resolve().is_relative_to(path.resolve()):
            raise InputError(f"{path} has a link ({quoted(name)}): give the files themselves")
        left -= file.stat().st_size
        if left < 0 or len(out) >= MOST_ENTRIES:
            raise InputError(f"{path} is larger than a model: at most {MOST_ENTRIES} files, {MOST_BYTES} bytes")
        out.append(_Entry(name, file.read_bytes()))
    return out
