"""Feature definitions: name, unit, bounds, transform and group of every feature, under one version.

Cleaning judges by them, training takes names and units from them and puts bounds and groups into the bundle's
manifest, where the door reads them: all three see the same.

    cpu_user = "percent"
    package_uw = { unit = "W", transform = "micro", group = "power", low = 0, high = 500 }
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ascribe.bundle.manifest import digest
from ascribe.core.errors import InputError
from ascribe.core.features import Feature
from ascribe.train.units import describe, read_units

__all__ = ["POWER", "TRANSFORMS", "WATTS", "FeatureSet", "read_definitions"]

POWER = "power_w"
WATTS = Feature(POWER, "W", 0.0)  # where no definition names it
TRANSFORMS = {"nano": 1e-9, "micro": 1e-6, "milli": 1e-3, "kilo": 1e3, "mega": 1e6, "percent": 1e2, "fraction": 1e-2}
"""What arrives is multiplied by it: a feature in uW whose unit is W has `micro`, a ratio in percent `percent`."""


@dataclass(frozen=True)
class FeatureSet:
    """`features` in their natural units; `transforms` names what turns the arriving number into it."""

    features: tuple[Feature, ...]
    transforms: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Twelve digits of the definitions' sha256: equal definitions have equal versions."""
        return digest(msgspec.json.encode(self.to_json(), order="sorted"))[:12]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f.name for f in self.features)

    def scale(self, names: Sequence[str]) -> np.ndarray:
        """Factors (n,) for columns of these names; 1 where nothing is said."""
        return np.array([TRANSFORMS.get(self.transforms.get(name, ""), 1.0) for name in names])

    def to_json(self) -> dict[str, Any]:
        return {"features": [f.to_json() for f in self.features], "transforms": dict(self.transforms)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> FeatureSet:
        """Raises InputError for another shape."""
        try:
            return cls(tuple(Feature.from_json(f) for f in record["features"]), dict(record["transforms"]))
        except (KeyError, TypeError, AttributeError) as exc:
            raise InputError(f"these are no feature definitions ({exc}): give them again with --features") from exc


def read_definitions(path: Path, power: str = POWER) -> FeatureSet:
    """TOML or JSON as above. The line of the measured power (its column may be named otherwise: `power`) gives its
    bounds under the lake's name.

    Raises InputError for a broken file, an unknown unit or transform.
    """
    units = {POWER if name == power else name: record for name, record in read_units(path, "features").items()}
    transforms = {name: record["transform"] for name, record in units.items() if record.get("transform")}
    for name, word in transforms.items():
        if word not in TRANSFORMS:
            raise InputError(f"{path}: transform '{word}' of {name} is unknown: use {', '.join(TRANSFORMS)}")
    return FeatureSet(tuple(describe(name, units) for name in units), transforms)
