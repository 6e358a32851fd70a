"""What the parties of a model set, beside the settings of any server; the environment is read here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ascribe.core.errors import ServiceError

__all__ = ["PartySettings", "from_environment"]


class PartySettings(BaseSettings):
    """`ASCRIBE_PARTY_<NAME>` in the environment, upper case.

    Of a host: `guests`: names in certificates (or of keys) that may ask it, with commas (empty: whoever the server lets
    in); `max_rows`: ids of one call; `id_budget`: different ids that a guest may ask in `id_window_s` seconds (None:
    any); `source_s`: the longest that its features may take; `share_columns`: whether guests that ask for it learn
    parts by column (None: as the bundle says).
    Of a guest: `timeout_s`: the longest that an exchange may take, `connect_s`: a connection; `again`: how often a
    question is asked again that a host has refused before it did anything; `at_once`: questions under way to a host,
    beyond which requests are gathered into one; `form`: of routes, where the host writes it (bitmap or json); `ca`,
    `cert`, `key`: whom it trusts to be a host, and its own certificate for them. What its own callers are shown:
    multiples of `step` (0: as it is); values of a row only if `minimum_group` rows of a request have the same of all
    hosts, and with `group_scores` margins and scores only if hosts answered so many of its rows alike; those of
    `explain_budget` different ids in `explain_window_s` seconds (None: any).
    """

    model_config = SettingsConfigDict(env_prefix="ASCRIBE_PARTY_", frozen=True, extra="ignore")

    guests: str = ""
    max_rows: int = Field(4096, ge=1)
    id_budget: int | None = Field(None, ge=0)
    id_window_s: float = Field(3600.0, gt=0)
    source_s: float = Field(2.0, gt=0)
    share_columns: bool | None = None
    timeout_s: float = Field(3.0, gt=0)
    connect_s: float = Field(1.0, gt=0)
    again: int = Field(2, ge=0, le=10)
    at_once: int = Field(2, ge=1, le=1000)
    step: float = Field(0.0, ge=0, allow_inf_nan=False)
    minimum_group: int = Field(1, ge=1)
    group_scores: bool = False
    explain_budget: int | None = Field(None, ge=0)
    explain_window_s: float = Field(3600.0, gt=0)
    form: Literal["bitmap", "json"] = "bitmap"
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @property
    def known(self) -> frozenset[str]:
        """Guests by name."""
        return frozenset(part.strip() for part in self.guests.split(",") if part.strip())


def from_environment() -> PartySettings:
    """Raises ServiceError naming the variable that cannot be used."""
    try:
        return PartySettings()  # type: ignore[call-arg]
    except ValidationError as exc:
        first = exc.errors()[0]
        raise ServiceError(f"ASCRIBE_PARTY_{str(first['loc'][0]).upper()} cannot be used: {first['msg']}") from exc
