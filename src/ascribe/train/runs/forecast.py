"""The stages of a forecast: a version of the lake as series, trained, then judged and promoted as any other model.

snapshot   the columns of one version, the newest days; what mending finds is told
train      candidates fitted, the best of them on origins before the test part: a bundle
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ascribe.bundle.registry import Registry
from ascribe.core.durations import steps_in
from ascribe.core.errors import InputError
from ascribe.core.forecast.series import INPUTS, Window
from ascribe.train.runs.plan import release
from ascribe.train.runs.stages import PARTS, Done, Stage
from ascribe.train.series.options import SeriesOptions
from ascribe.train.watch import Watcher

if TYPE_CHECKING:
    from ascribe.train.lake.lake import Lake

__all__ = ["ForecastTraining", "forecast_stages"]

FILE = "rows.parquet"
TOLD = 8  # lines on what was mended


@dataclass(frozen=True)
class ForecastTraining:
    """`series`: which columns are what (`data` and `version` are the run's own); the rest as `ForecastOptions`."""

    series: SeriesOptions
    context: str = "7d"
    horizon: str = "1d"
    test: str = "0.25"
    family: str = "best"
    preset: str = "default"
    epochs: int | None = None
    max_seconds: float | None = None
    seed: int = 0

    def plain(self) -> dict[str, Any]:
        """What decides; not when it was asked."""
        return asdict(self) | {"series": asdict(replace(self.series, data="", version=None, now_s=None))}

    @property
    def window(self) -> Window:
        """Raises InputError without a step, or where context or horizon is no whole number of steps."""
        step_s = self.series.step_s
        if step_s is None:
            raise InputError("a forecast that is refreshed needs a step that stays: say --step 5min")
        context, horizon = steps_in(self.context, step_s, "a context"), steps_in(self.horizon, step_s, "a horizon")
        return Window(context, horizon, step_s, (*INPUTS, *self.series.exogenous))


def forecast_stages(
    training: ForecastTraining, lake: Lake, version: int, registry: Registry, target: str, name: str, channel: str,
    force: bool, now: Callable[[], str], watch: Watcher, sign_key: Path | None = None,
) -> tuple[Stage, ...]:  # fmt: skip
    """In their order. `version` of the lake's rows; the rest as `plan.stages_of`."""
    given = training.plain()

    def snapshot(folder: Path, done: Mapping[str, Done]) -> dict[str, Any]:
        return _snapshot(folder, replace(training.series, data=lake.uri, version=version), watch)

    def train(folder: Path, done: Mapping[str, Done]) -> dict[str, Any]:
        rows = replace(training.series, data=str(done["snapshot"].folder / FILE), version=None)
        return fit(rows, training, folder, {"lake_version": version}, watch)

    return (
        Stage("snapshot", snapshot, (), {"lake": lake.identity, "version": version, "series": given["series"]}),
        Stage("train", train, ("snapshot",), given),
        *release(registry, target, name, channel, force, now, sign_key),
    )


def _snapshot(folder: Path, options: SeriesOptions, watch: Watcher) -> dict[str, Any]:
    """Rows as they are, read once; they are mended here to be told and in training to be used, by the same function."""
    from ascribe.core.forecast.gaps import Rules
    from ascribe.train.quarantine import put_aside
    from ascribe.train.series.read import mended
    from ascribe.train.series.tables import rows_of

    table, origin = rows_of(options)
    read = mended(table, options, Rules(), origin)
    watch.note(f"lake version {origin['lake_version']}: {len(table)} rows, {len(read.quarantine)} put aside")
    for line in read.told(TOLD):
        watch.note(line)
    table.write_parquet(folder / FILE)
    put_aside(read.quarantine, folder)
    return {
        "labelled": len(table) - len(read.quarantine),
        "total": len(table),
        "mended": read.lineage()["mended"]["counts"],
    }


def fit(
    rows: SeriesOptions, training: ForecastTraining, folder: Path, source: Mapping[str, Any], watch: Watcher
) -> dict[str, Any]:
    """Train on rows and write the bundle into `folder`/bundle; `source`: for its lineage. What the network's training
    leaves to go on from lies beside the folder, which a kill leaves to be emptied.
    """
    from ascribe.train.forecasting.train import ForecastOptions, train_forecast  # torch: where there is to be trained

    beside = folder.with_name(f"{folder.name}{PARTS}")
    beside.mkdir(exist_ok=True)
    options = ForecastOptions(
        rows, folder / "bundle", training.context, training.horizon, training.test, training.family, training.preset,
        training.epochs, training.max_seconds, training.seed, beside / "network", source,
    )  # fmt: skip
    report = train_forecast(options, watch)
    return {"version": report.version, "family": report.family}
