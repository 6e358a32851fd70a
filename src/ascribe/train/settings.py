"""The environment of the offline wing, read here only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["PrometheusSettings", "TrainSettings", "computing"]


class TrainSettings(BaseSettings):
    """`ASCRIBE_DEVICE`: auto (a GPU if there is one), cpu, or cuda. `ASCRIBE_THREADS`: torch threads.

    One thread by default: a step of the GRU is many small products, which two idle cores do no faster than one
    (85 ms against 89 ms), and which threads that wait for one another on a busy machine do ten times slower.
    """

    model_config = SettingsConfigDict(env_prefix="ASCRIBE_")

    device: str = "auto"
    threads: int = Field(default=1, ge=1)


class PrometheusSettings(BaseSettings):
    """Who asks a Prometheus server: `ASCRIBE_PROMETHEUS_TOKEN` (bearer), or `ASCRIBE_PROMETHEUS_USER` and `_PASSWORD`
    (basic). `ASCRIBE_PROMETHEUS_TIMEOUT_S`: how long one query may take.
    """

    model_config = SettingsConfigDict(env_prefix="ASCRIBE_", frozen=True, extra="ignore")

    prometheus_token: SecretStr = SecretStr("")
    prometheus_user: str = ""
    prometheus_password: SecretStr = SecretStr("")
    prometheus_timeout_s: float = Field(default=30.0, gt=0)


@contextmanager
def computing() -> Iterator[str]:
    """The device to train on, cpu or cuda; torch's threads are as the settings say while it lasts."""
    import torch  # here only: what reads telemetry has settings too, and no use for it

    settings = TrainSettings()
    before = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        yield ("cuda" if torch.cuda.is_available() else "cpu") if settings.device == "auto" else settings.device
    finally:
        torch.set_num_threads(before)
