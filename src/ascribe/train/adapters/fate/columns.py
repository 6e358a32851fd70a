"""Components that prepare columns, from their Meta and Param."""

from __future__ import annotations

import numpy as np

from ascribe.core.errors import InputError
from ascribe.core.federated.components import Binning, DataTransform, OneHot, Passing, Scale, Selection
from ascribe.core.federated.pipeline import Transform
from ascribe.train.adapters.fate.messages import finite
from ascribe.train.wire import fate_pb2 as fate

__all__ = ["binning", "data_transform", "one_hot", "scale", "selection"]


def data_transform(meta: fate.DataTransformMeta, param: fate.DataTransformParam) -> Transform:
    """DataIO and DataTransform."""
    imputer, outlier = meta.imputer_meta, meta.outlier_meta
    return DataTransform(
        meta.input_format or "dense",
        tuple(param.header),
        tuple(word.lower() for word in imputer.missing_value) if imputer.is_imputer else (),
        dict(param.imputer_param.missing_replace_value) if imputer.is_imputer else None,
        tuple(word.lower() for word in outlier.outlier_value) if outlier.is_outlier else (),
        dict(param.outlier_param.outlier_replace_value) if outlier.is_outlier else {},
    )


def scale(meta: fate.ScaleMeta, param: fate.ScaleParam, decimals: int | None) -> Transform:
    """Columns that have parameters, if the component is to run."""
    if not meta.need_run:
        return Passing("Scale")
    columns = {
        name: tuple(finite(x, f"scaling of '{name}'") for x in (p.column_lower, p.column_upper, p.mean, p.std))
        for name, p in param.col_scale_param.items()
    }
    return Scale(meta.method, columns, decimals)  # type: ignore[arg-type]


def one_hot(meta: fate.OneHotMeta, param: fate.OneHotParam) -> Transform:
    """Columns of `transform_col_names` that have a map. Raises InputError for values that are no whole numbers."""
    if not meta.need_run:
        return Passing("OneHotEncoder")
    columns = {}
    for name in meta.transform_col_names:
        if name not in param.col_map:
            continue
        held = param.col_map[name]
        if len(held.values) != len(held.transformed_headers):
            raise InputError(f"one-hot columns of '{name}' do not match its values: fetch the model again")
        columns[name] = (tuple(_whole(text, name) for text in held.values), tuple(held.transformed_headers))
    return OneHot(columns)


def _whole(text: str, name: str) -> int:
    try:
        value = float(text)
        if value != int(value):
            raise ValueError(text)
    except (ValueError, OverflowError) as exc:
        raise InputError(f"one-hot of '{name}' has the value '{text}', which is no whole number") from exc
    return int(value)


def binning(meta: fate.FeatureBinningMeta, param: fate.FeatureBinningParam) -> Transform:
    """Columns that have split points and whose place in the header is among `transform_cols`."""
    if not meta.need_run:
        return Passing("HeteroFeatureBinning")
    wanted = {param.header[i] for i in meta.transform_param.transform_cols if 0 <= i < len(param.header)}
    points = {name: np.array(p.split_points, dtype=float) for name, p in param.binning_result.binning_result.items()}
    return Binning({name: held for name, held in points.items() if name in wanted and len(held)})


def selection(meta: fate.FeatureSelectionMeta, param: fate.FeatureSelectionParam) -> Transform:
    """Columns that are left, in the order of the originals."""
    if not meta.need_run:
        return Passing("HeteroFeatureSelection")
    left = param.final_left_cols.left_cols
    order = [name for name in param.final_left_cols.original_cols if name in left]
    order += sorted(set(left) - set(order))
    return Selection(tuple(name for name in order if left[name]))
