"""The environment of the offline wing, read here only."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["TrainSettings"]


class TrainSettings(BaseSettings):
    """`ASCRIBE_DEVICE`: auto (a GPU if there is one), cpu, or cuda. `ASCRIBE_THREADS`: torch threads, 0 for all."""

    model_config = SettingsConfigDict(env_prefix="ASCRIBE_")

    device: str = "auto"
    threads: int = 0
