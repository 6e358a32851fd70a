"""What `import ascribe` offers. Frames come in and go out here; inside, everything is arrays."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from ascribe.bundle.archive import Bundle, open_directory
from ascribe.core.attribution import Attribution
from ascribe.core.conditional import Conditional, Gaussian, Independent
from ascribe.core.energy import Energy
from ascribe.core.errors import CapabilityError, InputError, MissingExtra, SchemaError
from ascribe.core.explainers import Options, available
from ascribe.core.explainers import explain as _explain
from ascribe.core.features import Feature
from ascribe.core.model import Model
from ascribe.core.words import listed

__all__ = ["OpenModel", "columns", "explain", "fit_conditional", "open", "open_bundle", "to_frame", "to_shap"]

Groups = Mapping[str, Sequence[str]]


@dataclass(frozen=True, eq=False)
class OpenModel:
    """A bundle, opened. Rows may be an array (in the order of `features`), a polars or pandas frame, or Arrow; named
    columns are taken by name, others ignored.
    """

    model: Model
    bundle: Bundle

    @property
    def features(self) -> tuple[str, ...]:
        """Names, in order."""
        return self.model.names

    @property
    def schema(self) -> tuple[Feature, ...]:
        """Name, unit, bounds and training range of each feature."""
        return self.model.features

    @property
    def offers(self) -> frozenset[str]:
        """Capabilities."""
        return self.model.offers

    @property
    def explainers(self) -> tuple[str, ...]:
        """Methods that `explain` accepts for this model."""
        return available(self.model)

    @property
    def unit(self) -> str:
        return self.model.unit

    @property
    def version(self) -> str:
        return self.model.version

    def predict(self, X: Any) -> np.ndarray:
        """Predictions (rows,) in `unit`; NaN for a row with a missing value."""
        rows = _matrix(X, self.features)[0]
        assert self.model.predict is not None
        found = np.asarray(self.model.predict(rows), dtype=float)
        return np.where(np.isnan(rows).any(axis=1), np.nan, found)

    def explain(
        self,
        X: Any,
        method: str = "conditional_shap",
        budget: int | None = None,
        samples: int = 32,
        seed: int = 0,
        estimator: str = "auto",
        groups: Groups | None = None,
        step: Callable[[], None] | None = None,
    ) -> Attribution:
        """Attributions of rows: `budget` coalitions (None: by the number of players), `samples` completions each.

        Raises InputError, SchemaError, BudgetError, CapabilityError; a bad row is a status, not an error.
        """
        options = Options(estimator, budget, samples, seed, _frozen(groups))
        return _timed(self.model, _matrix(X, self.features)[0], method, options, step)

    def energy(self, X: Any, S: Any) -> Energy:
        """g, log q, means and variances of rows (b, n) under coalitions S (m, n), True = observed.

        Raises CapabilityError if the model has no energy model.
        """
        ask = getattr(self.model.conditional, "energy", None)
        if ask is None:
            raise CapabilityError("this model was bundled without an energy model: train it with `ascribe train`")
        rows, coalitions = _matrix(X, self.features)[0], np.atleast_2d(np.asarray(S, dtype=bool))
        if coalitions.shape[1] != len(self.features):
            raise InputError(f"coalitions must be (m, {len(self.features)}), got {coalitions.shape}")
        return ask(rows, coalitions)


def open(path_or_uri: str | Path) -> OpenModel:
    """A bundle's directory, or `REGISTRY#NAME[@CHANNEL]` (`file:///srv/registry#node-power@production`).

    Every file is verified against its sha256 before it is parsed. Raises NotFound, BundleError, TamperedError.
    """
    from ascribe.bundle.runtime import load

    bundle = open_bundle(str(path_or_uri))
    return OpenModel(load(bundle), bundle)


def open_bundle(place: str) -> Bundle:
    """The bundle at a directory or registry entry; nothing is parsed but its manifest."""
    registry, sign, spec = place.partition("#")
    if sign:
        from ascribe.bundle.registry import Registry, split_model

        return Registry(registry).resolve(*split_model(spec))
    return open_directory(Path(urlsplit(place).path if place.startswith("file:") else place).expanduser())


def explain(
    predict: Callable[[np.ndarray], np.ndarray],
    X: Any,
    conditional: Conditional | None = None,
    background: Any = None,
    estimator: str = "auto",
    budget: int | None = None,
    samples: int = 64,
    seed: int = 0,
    groups: Groups | None = None,
    step: Callable[[], None] | None = None,
) -> Attribution:
    """Shapley values of any function `predict (rows, n) -> (rows,)`.

    With `conditional` (from `fit_conditional`): of the conditional game, v(empty) being the mean of f over
    `background` or else over the conditional's training rows. With `background` alone: of the marginal game.

    >>> import numpy as np
    >>> rows = np.random.default_rng(0).standard_normal((200, 3))
    >>> a = explain(lambda X: X[:, 0] + 2 * X[:, 1], [[1.0, 1.0, 1.0]], background=rows - rows.mean(axis=0))
    >>> a.values.round(6).tolist()
    [[1.0, 2.0, 0.0]]
    """
    if conditional is None and background is None:
        raise InputError("give conditional=ascribe.fit_conditional(X_train), or background= rows for the marginal game")
    rows, names = _matrix(X)
    reference = None if background is None else _matrix(background, names if _named(background) else None)[0]
    if reference is not None and reference.shape[1] != rows.shape[1]:
        raise InputError(f"background has {reference.shape[1]} columns, X has {rows.shape[1]}")

    def checked(Z: np.ndarray) -> np.ndarray:
        found = np.asarray(predict(Z), dtype=float)
        if found.size != len(Z):
            raise InputError(f"predict must give one number a row: {found.shape} for {len(Z)} rows")
        return found.reshape(len(Z))

    model = Model(
        tuple(Feature(name) for name in names),
        checked,
        reference,
        conditional,
        None if reference is None else float(checked(reference).mean()),
    )
    method = "kernel_shap" if conditional is None else "conditional_shap"
    return _timed(model, rows, method, Options(estimator, budget, samples, seed, _frozen(groups)), step)


def fit_conditional(X: Any, method: str = "emshap", seed: int = 0, max_seconds: float | None = None) -> Conditional:
    """A law of hidden features given observed ones, fitted on rows in natural units.

    `emshap` (extra: train), `gaussian`, or `independent` (ignores what is observed). `max_seconds` bounds the fit of
    `emshap`; the result then depends on the machine's speed.
    """
    rows = _matrix(X)[0]
    if not np.isfinite(rows).all():
        raise InputError("training rows hold missing values: clean them first (`ascribe train` does)")
    if method == "emshap":
        try:
            from ascribe.train.conditional import fit_conditional as fit
        except ImportError as exc:
            raise MissingExtra("fitting emshap needs torch: pip install 'ascribe[train]'") from exc
        return fit(rows, seed, max_seconds)
    if method == "gaussian":
        return Gaussian.fit(rows)
    if method == "independent":
        return Independent(rows)
    raise InputError(f"unknown method '{method}': use emshap, gaussian or independent")


def columns(a: Attribution) -> dict[str, Any]:
    """An attribution as columns: prediction, base_value, one per player, `stderr_<player>`, ess, status, reason."""
    held: dict[str, Any] = {"prediction": a.prediction, "base_value": np.full(len(a), a.base_value)}
    held |= {name: a.values[:, j] for j, name in enumerate(a.features)}
    held |= {f"stderr_{name}": a.stderr[:, j] for j, name in enumerate(a.features)}
    return held | {"ess": a.ess, "status": a.status.tolist(), "reason": list(a.reasons)}


def to_frame(a: Attribution, library: str = "polars") -> Any:
    """A polars or pandas frame, or an Arrow table (`library="arrow"`): one row per explained row, see `columns`."""
    if library == "arrow":
        import pyarrow

        return pyarrow.table(columns(a))
    if library not in ("polars", "pandas"):
        raise InputError(f"unknown library '{library}': use polars, pandas or arrow")
    try:
        from importlib import import_module

        return import_module(library).DataFrame(columns(a))
    except ImportError as exc:
        raise MissingExtra(f"pip install {library}, or ask for library='arrow'") from exc


def to_shap(a: Attribution) -> Any:
    """A `shap.Explanation`, for shap's own plots. Data is left out where groups were the players."""
    try:
        import shap
    except ImportError as exc:
        raise MissingExtra("pip install shap to have shap.Explanation") from exc
    single = a.data.shape[1] == len(a.features)
    return shap.Explanation(
        values=a.values,
        base_values=np.full(len(a), a.base_value),
        data=a.data if single else None,
        feature_names=list(a.features),
        output_names=a.info.output,
        error_std=a.stderr,
    )


def _timed(
    model: Model, rows: np.ndarray, method: str, options: Options, step: Callable[[], None] | None
) -> Attribution:
    begin = time.perf_counter()
    a = _explain(model, rows, method, options, step)
    return replace(a, info=replace(a.info, timings={"explain": (time.perf_counter() - begin) * 1e3}))


def _frozen(groups: Groups | None) -> dict[str, tuple[str, ...]] | None:
    return None if groups is None else {name: tuple(members) for name, members in groups.items()}


def _named(X: Any) -> bool:
    return hasattr(X, "column_names") or (hasattr(X, "columns") and not isinstance(X, np.ndarray))


def _matrix(X: Any, wanted: Sequence[str] | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Rows (b, n) as float64 and the names of their columns; `wanted` chooses and orders named columns.

    Raises SchemaError for a missing or non-numeric column, InputError for another shape. Missing values become NaN.
    """
    if _named(X):
        if hasattr(X, "column_names"):  # Arrow
            have, column = [str(c) for c in X.column_names], lambda name: X[name].to_numpy(zero_copy_only=False)
            column = column if not hasattr(X, "to_batches") else lambda name: X[name].to_numpy()
        else:
            have, column = [str(c) for c in X.columns], lambda name: X[name].to_numpy()
        names = tuple(wanted or have)
        if missing := [name for name in names if name not in have]:
            raise SchemaError(f"there is no column {listed(missing)}; the rows have {listed(have)}")
        held = []
        for name in names:
            try:
                held.append(np.asarray(column(name)).astype(float))
            except (TypeError, ValueError) as exc:
                raise SchemaError(f"column {name} holds no numbers: convert it first") from exc
        return np.column_stack(held) if held else np.empty((0, 0)), names
    try:
        rows = np.asarray(X, dtype=float)
    except (TypeError, ValueError) as exc:
        raise InputError("rows must be numbers: an array (rows, features), a frame, or Arrow") from exc
    if rows.ndim == 1:
        rows = rows[None]
    if rows.ndim != 2 or (wanted is not None and rows.shape[1] != len(wanted)):
        shape = "features" if wanted is None else len(wanted)
        raise InputError(f"rows must be (rows, {shape}), got {rows.shape}")
    return rows, tuple(wanted or (f"x{j}" for j in range(rows.shape[1])))
