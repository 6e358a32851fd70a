"""The environment of the offline wing, read here only."""

from __future__ import annotations

import torch
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["TrainSettings", "device"]


class TrainSettings(BaseSettings):
    """`ASCRIBE_DEVICE`: auto (a GPU if there is one), cpu, or cuda. `ASCRIBE_THREADS`: torch threads, 0 for all."""

    model_config = SettingsConfigDict(env_prefix="ASCRIBE_")

    device: str = "auto"
    threads: int = 0


def device() -> str:
    """cpu or cuda, after the settings; torch threads are set as asked."""
    settings = TrainSettings()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    if settings.device != "auto":
        return settings.device
    return "cuda" if torch.cuda.is_available() else "cpu"
