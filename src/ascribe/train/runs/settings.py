"""Where runs keep their files: the environment of this room, read here only."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from ascribe.bundle.store import folder_of

__all__ = ["work_folder"]


class _Places(BaseSettings):
    """`XDG_CACHE_HOME`: the platform's folder for what can be made again."""

    model_config = SettingsConfigDict(env_prefix="")

    xdg_cache_home: Path = Field(default_factory=lambda: Path.home() / ".cache")


def work_folder(lake: str) -> Path:
    """Where the stages of a lake's runs lie: beside a directory, else in the platform's cache.

    >>> work_folder("runs/demo/lake").name
    'lake_work'
    """
    if (folder := folder_of(lake.rstrip("/") + "_work")) is not None:
        return folder
    return _Places().xdg_cache_home / "ascribe" / hashlib.sha256(lake.encode()).hexdigest()[:16]
