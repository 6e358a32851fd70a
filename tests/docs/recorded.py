"""Traffic and telemetry that a reader has recorded, in files and lakes; each answers as in `elsewhere`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.docs.blocks import ROOT
from tests.journey import ascribe
from tests.test_lifecycle import DEFINITIONS, telemetry

__all__ = ["backbone", "lake", "rows", "series", "traffic"]

DAY = 288
"""Steps of the backbone's series."""

SHORT = "--context 1d --horizon 6h --family ridge_lags"


def traffic(place: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The newest four weeks of the backbone as `traffic.parquet`, and one family instead of six."""
    newest(28).write_parquet(place / "traffic.parquet")
    return {
        "--unit b/s": "--unit b/s --family ridge_lags",
        "DIR --data FILE": "runs/traffic --data traffic.parquet",
    }


def backbone(place: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """One family instead of six, on four weeks."""
    return {"--out runs/b5m": "--out runs/b5m --last 28d --family ridge_lags"}


def newest(days: int) -> pl.DataFrame:
    """The newest days of the backbone."""
    return pl.read_csv(ROOT / "examples" / "data" / "B5M.csv.gz", try_parse_dates=True).tail(days * DAY)


def series(place: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """A lake with the traffic of two nodes, some weeks later on the same days of the week; a shorter window and one
    family instead of six.
    """
    held = newest(28)
    weeks = (datetime.now(UTC).replace(tzinfo=None) - held.item(-1, "timestamp")) // timedelta(weeks=1)
    at = (held["timestamp"] + timedelta(weeks=weeks)).dt.replace_time_zone("UTC")
    both = (
        pl.DataFrame({"node": name, "timestamp": at, "rx_kbs": k * held["bits"], "power_w": None})
        for k, name in ((1.0, "a"), (2.0, "b"))
    )
    pl.concat(both).write_parquet(place / "rx.parquet")
    done = ascribe("ingest", "--source", "rx.parquet", "--lake", "lake", cwd=place)
    assert done.returncode == 0, done.stderr
    return {
        "--lake URI --registry URI": "--lake lake --registry registry",
        "--last 60d": f"--last 60d {SHORT}",
        "...": f"--lake lake --registry registry --name traffic --value rx_kbs --series node --step 5min {SHORT}",
    }


def lake(place: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """A lake with rows of two nodes, and little time to train."""
    (place / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in telemetry(900, 1)))
    (place / "features.toml").write_text(DEFINITIONS)
    done = ascribe("ingest", "--source", "rows.jsonl", "--lake", "lake", "--features", "features.toml", cwd=place)
    assert done.returncode == 0, done.stderr
    return {
        "--lake URI": "--lake lake", "--registry URI": "--registry registry", "NAME": "node-power",
        "pipeline run ": "pipeline run --quick ", "pipeline watch ": "pipeline watch --quick ",
    }  # fmt: skip


def rows(place: Path, request: pytest.FixtureRequest) -> None:
    """Rows of two nodes as a table."""
    flat = [{k: v for k, v in row.items() if k != "features"} | row["features"] for row in telemetry(900, 1)]
    pl.DataFrame(flat).write_parquet(place / "rows.parquet")
