"""Several targets in one bundle: each is trained as if it were alone, and no target is a feature of another."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ascribe.bundle.archive import compose, open_directory
from ascribe.core.errors import InputError
from ascribe.train.pipeline import Report, TrainOptions, train
from ascribe.train.quarantine import QUARANTINE
from ascribe.train.watch import Watcher

__all__ = ["train_targets"]

WORKSHOP = ".targets"  # bundles of single targets lie here until all are done


def train_targets(options: TrainOptions, targets: Sequence[str], watch: Watcher | None = None) -> Report:
    """Train each target and compose one bundle in `options.out`; the first answers where none is named. With one
    target, as `train`. Rows that lack one target are still learnt from for the others: each has its own quarantine.

    Raises InputError for a target that is named twice, and what `train` raises; then no bundle is written.
    """
    if not targets or len(set(targets)) < len(targets):
        raise InputError("name each target once: --target package_power,dram_power")
    first, *others = targets
    if not others:
        return train(replace(options, target=first), watch)
    watch = watch or Watcher()
    shop = options.out / WORKSHOP
    shutil.rmtree(shop, ignore_errors=True)
    places = {target: shop / str(k) for k, target in enumerate(targets)}
    reports = {}
    try:
        for target, place in places.items():
            watch.note(f"target {target}")
            excluded = tuple(other for other in targets if other != target)
            reports[target] = train(replace(options, target=target, out=place, excluded=excluded), watch)
        opened = {target: open_directory(place) for target, place in places.items()}
        whole = compose(options.out, opened[first], {target: opened[target] for target in others})
    finally:
        for k, place in enumerate(places.values()):
            _keep_quarantine(place, options.out / f"quarantine{f'-{k + 1}' if k else ''}.parquet")
        shutil.rmtree(shop, ignore_errors=True)
    metrics = reports[first].metrics | {"targets": {target: reports[target].metrics for target in others}}
    return Report(whole.manifest.version(), reports[first].family, metrics)


def _keep_quarantine(place: Path, out: Path) -> None:
    held = place / QUARANTINE
    if held.is_file():
        held.replace(out)
