"""What a reader has before the blocks of a page: models, rows and bundles under the names that the page gives them.

Some answer what stands in place of defaults that take long, and of words that a page leaves to its reader.
"""

from __future__ import annotations

import base64
import gzip
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest
import xgboost

from tests.docs.blocks import ROOT
from tests.journey import FEATURES, TARGET, ascribe, sampled, train
from tests.serve.federated.splits import COLUMNS, PARTIES, split
from tests.train.adapters.fate.test_refused import export, zipped

__all__ = ["demo", "examples", "exports", "halves", "income", "loans", "network", "nothing", "probed", "watts"]

FATE = ROOT / "examples" / "data" / "fate" / "secureboost"


def nothing(place: Path, request: pytest.FixtureRequest) -> None:
    """The repository is enough."""


def demo(place: Path, request: pytest.FixtureRequest) -> None:
    """What `make demo` leaves, on a sixth of the rows."""
    venv(place, request)
    shutil.copytree(request.getfixturevalue("demonstrated")[0] / "runs", place / "runs")


def probed(place: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """`demo`; of pictures the cheapest method is probed, of watts two rows with few completions."""
    demo(place, request)
    return {"--rows 20 -o": "--rows 20 --methods saliency -o", "--delta 1 -o": "--delta 1 --rows 2 --samples 4 -o"}


def venv(place: Path, request: pytest.FixtureRequest) -> None:
    """`.venv/bin`, where `run` puts its `bin`."""
    (place / ".venv").symlink_to(place)


def examples(place: Path, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """`venv`, and little time to train."""
    venv(place, request)
    return {"--time seq": "--time seq --max-seconds 2"}


def income(place: Path, request: pytest.FixtureRequest) -> None:
    """A classifier of XGBoost, and rows with what it predicts as numbers."""
    rows = pl.read_csv(gzip.decompress((ROOT / "examples" / "data" / "adult.csv.gz").read_bytes())).gather_every(100)
    rows = rows.select("age", "education_num", "hours_per_week", (pl.col("income") == ">50K").cast(pl.Int8))
    rows.write_parquet(place / "rows.parquet")
    model = xgboost.XGBClassifier(n_estimators=20, n_jobs=1)
    model.fit(rows.drop("income").to_pandas(), rows["income"].to_numpy()).save_model(place / "model.ubj")


def watts(place: Path, request: pytest.FixtureRequest) -> None:
    """Rows of six counters and their `watts`."""
    sampled(place / "all.parquet")
    rows = pl.read_parquet(place / "all.parquet").select(*FEATURES, watts=TARGET).drop_nulls()
    rows.gather_every(2).write_parquet(place / "rows.parquet")


def network(place: Path, request: pytest.FixtureRequest) -> None:
    """`runs/power`, a network of six counters, and rows of those."""
    done = train(sampled(place / "rows.parquet"), place / "runs" / "power", "--family", "power_mlp", by=ascribe)
    assert done.returncode == 0, done.stderr


def loans(place: Path, request: pytest.FixtureRequest) -> None:
    """A booster over all columns, whose each is, and rows: all, the bank's, the shop's."""
    held = split()
    held.booster.save_model(place / "model.ubj")
    (place / "parties.json").write_text(json.dumps(PARTIES))
    rows = pl.DataFrame({"id": held.ids, **dict(zip(COLUMNS, held.X.T, strict=True)), "paid": held.y})
    rows.write_csv(place / "rows.csv")
    for file, party in (("bank", "bank"), ("shop", "guest")):
        rows.select("id", *(name for name in COLUMNS if PARTIES[name] == party)).write_parquet(
            place / f"{file}.parquet"
        )


def halves(place: Path, request: pytest.FixtureRequest) -> None:
    """`loans`, and a guest's file of FATE."""
    loans(place, request)
    shutil.copy(FATE / "guest.model_cache.json", place)


def exports(place: Path, request: pytest.FixtureRequest) -> None:
    """Both files of FATE as exports in a zip."""
    for role in ("guest", "host"):
        cache = json.loads((FATE / f"{role}.model_cache.json").read_text())
        (place / "exported" / role).mkdir(parents=True)
        folder = export(place / "exported" / role, {name: base64.b64decode(raw) for name, raw in cache.items()})
        zipped(place / f"{role}.zip", folder)
