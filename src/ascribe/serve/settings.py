"""What an operator may set; the only file of serving that reads the environment."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ascribe.core.errors import ServiceError
from ascribe.core.repertoire import SERVED

__all__ = ["Settings", "from_environment", "inherited"]

MIB = 1 << 20


class Settings(BaseSettings):
    """`ASCRIBE_<NAME>` in the environment, upper case: `ASCRIBE_MAX_ROWS=100`.

    Limits hold for one request. `max_body_bytes`: of the body, also inflated; `max_rows`, `max_budget`, `max_samples`:
    the most rows, coalitions, completions per coalition. `budget`: coalitions where a request names none (None: the
    engine decides by the number of players); `samples`: completions per coalition. `reflection`: whether the gRPC door
    lists its services. `timeout_s`: the longest a request may take; `drain_s`: how long a stopping server keeps
    answering while it already says "not ready", and twice the age of a gRPC connection; `grace_s`: how long calls in
    flight may then go on. `explain_threads`: explanations at a time (None: the cores that the process may use).
    `verify_key`: a public key's file; a version that it did not sign is not loaded.
    `poll_s`: how often a channel is asked whether it moved, give or take a fifth. `admin_token`: who bears it may make
    admin calls (None or empty: only credentials with the scope admin may). `shadow_share`: of live requests that a
    candidate explains too.
    `lake`: URI whose state tells of nodes, readers and runs, and takes a sample of answered rows.
    `workers`, `worker`, `shared`: set by `ascribe serve --workers N` for its processes: how many there are, which one
    this is, and the folder that they share. `max_queue_rows`, `max_wait_s`: rows that may wait to be explained, and
    seconds that they would wait, about; above either, requests are shed.
    `max_features`: values in a row; `max_image_bytes`, `max_pixels`: of one picture's file, counted before it is
    decoded; `max_text`: characters of a sentence; `max_depth`: nesting of JSON.

    Who may ask (docs/security.md): `api_keys`: a file of hashes; `jwks` (a file or an https URL), `jwt_issuer`,
    `jwt_audience`: whose tokens; `jwt_leeway_s`: by which clocks may differ; `jwks_fresh_s`: after which the keys of
    tokens are asked for again; `jwks_stale_s`: how long they stay good while they cannot be had; `client_ca`: whose
    certificates, which have `cert_scopes`; `tls_cert`, `tls_key`: this server's own. `allow_anonymous`: listen where
    others reach it without asking any of them. `rate_per_s`: rows a second of each caller without a rate of its own,
    `burst_s`: seconds' worth of them at once. `max_connections`: of HTTP, at a time; `max_headers`, `max_header_bytes`:
    of a request; `header_s`, `body_s`: until its headers, and its body, are all there.
    `log_share`: of the requests that went well, which are logged. `metrics`: whether GET /metrics is on the HTTP door
    (None: where that is on loopback); `metrics_open`: it asks nobody who they are; `metrics_http`: its own HOST:PORT
    instead; `metrics_dir`: where processes of one server leave their counts for each other. `debug_page`: GET /debug
    beside it. `traces_exporter`: otlp, console or none, of the variable OTEL_TRACES_EXPORTER.
    `jobs`: where jobs and late attributions lie, a URI that processes share (None: a folder of this process alone);
    `jobs_keep_s`, `later_keep_s`: how long after they ended; `jobs_lease_s`: silence of a process after which another
    takes its job up; `max_jobs` may wait, of `max_job_rows` each; `max_later` attributions, of `max_later_rows` rows
    together, may be under way or waiting to be fetched. `stream_chunks`: of one stream, answered at a time.
    `groups`: a TOML file of counters by group; `now_nodes`: nodes whose moments are kept, `now_moments` of each and
    the means of `now_minutes`; `max_listeners`: streams of events at a time (docs/page.md).
    """

    model_config = SettingsConfigDict(env_prefix="ASCRIBE_", frozen=True, extra="ignore", populate_by_name=True)

    max_body_bytes: int = Field(16 * MIB, ge=1)
    max_rows: int = Field(4096, ge=1)
    max_budget: int = Field(SERVED, ge=2)
    max_samples: int = Field(4096, ge=2)
    budget: int | None = Field(None, ge=2)
    samples: int = Field(32, ge=2)
    reflection: bool = True
    explain_threads: int | None = Field(None, ge=1)
    timeout_s: float = Field(60.0, gt=0)
    drain_s: float = Field(0.0, ge=0)
    grace_s: float = Field(5.0, ge=0)
    verify_key: Path | None = None
    poll_s: float = Field(2.0, gt=0)
    admin_token: SecretStr | None = None
    shadow_share: float = Field(0.1, ge=0, le=1)
    lake: str | None = None
    workers: int = Field(1, ge=1)
    worker: int = Field(0, ge=0)
    shared: Path | None = None
    max_queue_rows: int = Field(8192, ge=1)
    max_wait_s: float = Field(20.0, gt=0)
    api_keys: Path | None = None
    jwks: str | None = None
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    jwt_leeway_s: float = Field(30.0, ge=0, le=300)
    jwks_fresh_s: float = Field(300.0, gt=0)
    jwks_stale_s: float = Field(86400.0, gt=0)
    tls_cert: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None
    cert_scopes: str = "predict explain"
    allow_anonymous: bool = False
    rate_per_s: float | None = Field(None, gt=0)
    burst_s: float = Field(1.0, gt=0)
    max_features: int = Field(16384, ge=1)
    max_image_bytes: int = Field(8 * MIB, ge=1)
    max_pixels: int = Field(32 * MIB, ge=1)
    max_text: int = Field(65536, ge=1)
    max_depth: int = Field(32, ge=4)
    max_headers: int = Field(100, ge=1)
    max_header_bytes: int = Field(32768, ge=1024)
    max_connections: int = Field(1024, ge=1)
    header_s: float = Field(10.0, gt=0)
    body_s: float = Field(30.0, gt=0)
    log_share: float = Field(1.0, ge=0, le=1)
    metrics: bool | None = None
    metrics_open: bool = False
    metrics_http: str | None = None
    metrics_dir: Path | None = None
    debug_page: bool = False
    traces_exporter: str = Field("none", validation_alias="OTEL_TRACES_EXPORTER")
    jobs: str | None = None
    jobs_keep_s: float = Field(86400.0, gt=0)
    jobs_lease_s: float = Field(30.0, gt=0)
    max_jobs: int = Field(64, ge=1)
    max_job_rows: int = Field(100_000, ge=1)
    max_later: int = Field(1024, ge=1)
    max_later_rows: int = Field(65536, ge=1)
    later_keep_s: float = Field(600.0, gt=0)
    stream_chunks: int = Field(8, ge=1)
    groups: Path | None = None
    now_nodes: int = Field(256, ge=1)
    now_moments: int = Field(900, ge=2)
    now_minutes: int = Field(1440, ge=1)
    max_listeners: int = Field(256, ge=1)


def inherited() -> dict[str, str]:
    """What the processes of this server are to find in their environment."""
    return dict(os.environ)


def from_environment() -> Settings:
    """Raises ServiceError naming the variable that cannot be used."""
    try:
        return Settings()  # type: ignore[call-arg]
    except ValidationError as exc:
        first = exc.errors()[0]
        raise ServiceError(f"ASCRIBE_{str(first['loc'][0]).upper()} cannot be used: {first['msg']}") from exc
