"""What is served: one version of one model, swapped as a whole; a request works with the lease it took."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ascribe.bundle.registry import Registry, split_model
from ascribe.bundle.runtime import load
from ascribe.core.errors import NotFound
from ascribe.core.model import Model
from ascribe.serve.faults import UnavailableError

__all__ = ["Lease", "Versions", "fetch"]


@dataclass(frozen=True, eq=False)
class Lease:
    """One loaded version; it stays whole for whoever holds it, whatever is swapped in meanwhile.

    `sha256` is the archive's, from the channel. `example (1, n)`: the bundle's stored row, for warming up. `base`:
    the model's recorded mean prediction, in its unit.
    """

    name: str
    channel: str
    version: str
    sha256: str
    model: Model
    example: np.ndarray

    @property
    def base(self) -> float | None:
        return self.model.base_value


def fetch(registry: Registry, spec: str) -> Lease:
    """Load what `NAME[@CHANNEL]` points at. Raises NotFound naming what there is, BundleError for a broken bundle."""
    name, channel = split_model(spec)
    current = registry.channel(name, channel).current
    bundle = registry.fetch(name, current.version, current.sha256)
    return Lease(name, channel, current.version, current.sha256, load(bundle), np.array([bundle.manifest.example["x"]]))


class Versions:
    """The served version behind one reference: `swap` replaces it, leases taken before stay good."""

    def __init__(self) -> None:
        self._lease: Lease | None = None

    @property
    def loaded(self) -> bool:
        return self._lease is not None

    def swap(self, lease: Lease) -> None:
        """Serve another version from the next request on."""
        self._lease = lease

    def lease(self, model: str | None = None, version: str | None = None) -> Lease:
        """The version that answers a request for `NAME[@CHANNEL]` (None or empty: whatever is served).

        Raises UnavailableError before the first version is loaded, NotFound for another model, channel or version.
        """
        held = self._lease
        if held is None:
            raise UnavailableError("the model is still loading: try again in a second")
        name, _, channel = (model or "").partition("@")
        serves = f"this server serves {held.name}@{held.channel}, version {held.version}"
        if (name and name != held.name) or (channel and channel != held.channel):
            raise NotFound(f"no model '{model}' here: {serves}")
        if version and version != held.version:
            raise NotFound(f"no version '{version}' of {held.name} here: {serves}")
        return held
