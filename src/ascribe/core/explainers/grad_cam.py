"""Grad-CAM: where a convolutional layer saw what speaks for the output.

    map = relu( sum_c a_c A_c ),      a_c = mean over the layer's cells of df/dA_c;      A_c: map c of the layer

drawn up to the image by bilinear interpolation (cells are areas: their centres are aligned, not their corners). A
pixel's map is spread evenly over its channels. It is a map, not a share: it has no sign and sums to nothing. Selvaraju
et al., 2017, arXiv 1610.02391.
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.answered import Found, Kind, answered
from ascribe.core.arrays import Float, np
from ascribe.core.attribution import Attribution
from ascribe.core.errors import CapabilityError, NotFound
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.words import listed, quoted

__all__ = ["grad_cam", "upsampled"]

ROWS = 16  # of one pass: every layer's maps and slopes are held


def grad_cam(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """Of the layer `options.layer`, or the last that shows maps. Raises NotFound naming the layers, CapabilityError
    where rows are no images.
    """
    assert model.layers is not None and model.predict is not None
    layers, predict = model.layers, model.predict
    if model.layout.kind != "image":
        raise CapabilityError(f"grad_cam draws on images: a row of this model is a {model.layout.kind}")
    layer = options.layer or layers.names[-1]
    if layer not in layers.names:
        raise NotFound(f"no layer {quoted(layer)} with maps: this model shows {listed(layers.names)}")
    height, width, channels = model.layout.shape

    def ask(rows: Float[np.ndarray, "a n"]) -> Found:
        drawn = []
        for at in range(0, len(rows), ROWS):
            maps = layers.at(rows[at : at + ROWS], layer)
            seen = np.einsum("bc,bchw->bhw", maps.slope.mean(axis=(2, 3)), maps.values)
            drawn.append(upsampled(np.where(np.isnan(seen), seen, np.maximum(seen, 0.0)), height, width))
        whole = np.repeat(np.concatenate(drawn)[..., None] / channels, channels, axis=3)
        return Found(whole.reshape(rows.shape), np.asarray(predict(rows), dtype=float), budget=1, samples=1)

    return answered(model, X, Kind("grad_cam", "map", layer, "grad_cam"), options, step, ask)


def upsampled(maps: Float[np.ndarray, "b h w"], height: int, width: int) -> Float[np.ndarray, "b y x"]:
    """Maps (b, h, w) as (b, height, width), bilinear: as torch's `interpolate` with `align_corners=False`."""
    return np.einsum("yh,bhw,xw->byx", _bilinear(maps.shape[1], height), maps, _bilinear(maps.shape[2], width))


def _bilinear(cells: int, size: int) -> Float[np.ndarray, "size cells"]:
    """What each cell is to each position; rows sum to 1."""
    place = np.clip((np.arange(size) + 0.5) * cells / size - 0.5, 0, cells - 1)
    low = np.minimum(place.astype(int), max(cells - 2, 0))
    share = place - low
    A = np.zeros((size, cells))
    A[np.arange(size), low] = 1 - share
    A[np.arange(size), np.minimum(low + 1, cells - 1)] += share
    return A
