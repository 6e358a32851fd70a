"""Superpixels: an image cut into pieces of like colour that follow its outlines.

SLIC (Achanta et al. 2012), simple linear iterative clustering: k-means over colour and place,

    d^2 = |lab - lab_k|^2 + (compactness / spacing)^2 |place - place_k|^2,       spacing = sqrt(h w / count)

where a pixel looks only at centres near it. Then each label's largest connected piece keeps its number and the
others join the neighbour whose colour is nearest, so that every segment is one piece.
"""

from __future__ import annotations

from scipy.ndimage import find_objects, gaussian_filter, label

from ascribe.core.arrays import Float, np

__all__ = ["lab", "superpixels"]

ROUNDS = 10
COMPACTNESS = 20.0  # units of lab lightness (0 ... 100) that a step of one spacing weighs; more: squarer pieces
SMOOTH = 0.7  # pixels, before clustering


def superpixels(image: Float[np.ndarray, "h w c"], count: int) -> np.ndarray:
    """About `count` segments of an image with pixels 0 ... 255: numbers 0 ... p-1 (h, w), each one connected piece.

    Deterministic.
    """
    height, width = image.shape[:2]
    colour = lab(np.asarray(gaussian_filter(np.asarray(image, float), (SMOOTH, SMOOTH, 0), mode="nearest")))
    down = max(1, round(np.sqrt(count * height / width)))
    across = max(1, round(count / down))
    spacing = np.sqrt(height * width / (down * across))
    y, x = np.mgrid[:height, :width]
    place = np.stack([y, x], axis=2) * (COMPACTNESS / spacing)
    points = np.concatenate([colour, place], axis=2)
    number = (y * down // height) * across + x * across // width  # a grid to begin with
    near = _near(number, down, across)
    flat = points.reshape(-1, points.shape[2])
    for _ in range(ROUNDS):
        size = np.bincount(number.reshape(-1), minlength=down * across)
        total = np.stack([np.bincount(number.reshape(-1), column, down * across) for column in flat.T], axis=1)
        centre = total / np.maximum(size, 1)[:, None]
        best, number = np.full((height, width), np.inf), number.copy()
        for k in near:  # nine centres around where the pixel lies
            d = ((points - centre[k]) ** 2).sum(axis=2)
            d[(size[k] == 0) | (d >= best)] = np.inf
            better = np.isfinite(d)
            best[better], number[better] = d[better], k[better]
    return _whole(number, colour, height * width / (down * across) / 4)


def lab(image: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w k"]:
    """CIE L*a*b* of sRGB pixels 0 ... 255, white D65; of an image with another number of channels, its numbers scaled
    to 0 ... 100.

    >>> (lab(np.full((1, 1, 3), 255.0)).round(1) + 0.0).tolist()
    [[[100.0, 0.0, 0.0]]]
    """
    if image.shape[2] != 3:
        return image * (100 / 255)
    s = np.clip(image / 255, 0, 1)
    linear = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                       [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
    t = linear @ to_xyz.T / to_xyz.sum(axis=1)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=2)


def _near(home: np.ndarray, down: int, across: int) -> list[np.ndarray]:
    """For each pixel, the cells of the grid that touch the one where it lies, itself first."""
    row, column = home // across, home % across
    steps = [(0, 0), *((r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0))]
    return [np.clip(row + r, 0, down - 1) * across + np.clip(column + c, 0, across - 1) for r, c in steps]


def _whole(number: np.ndarray, colour: np.ndarray, least: float) -> np.ndarray:
    """Every label one piece, none smaller than `least` pixels where it has a neighbour: the others join that of their
    neighbours whose mean colour is nearest, the smallest first.
    """
    piece = np.zeros(number.shape, int)
    kept: list[bool] = []
    for k, box in enumerate(find_objects(number + 1)):
        if box is None:
            continue
        mine, found = label(number[box] == k)
        sizes = np.bincount(mine.reshape(-1))[1:]
        piece[box][mine > 0] = mine[mine > 0] + len(kept)
        kept += [bool(size == sizes.max() and i == np.argmax(sizes)) for i, size in enumerate(sizes)]
        assert len(sizes) == found
    piece -= 1
    p = len(kept)
    size = np.bincount(piece.reshape(-1), minlength=p).astype(float)
    total = np.stack([np.bincount(piece.reshape(-1), c, p) for c in colour.reshape(-1, colour.shape[2]).T], axis=1)
    beside: list[set[int]] = [set() for _ in range(p)]
    for one, two in ((piece[1:], piece[:-1]), (piece[:, 1:], piece[:, :-1])):
        for a, b in np.unique(np.stack([one[one != two], two[one != two]], axis=1), axis=0).tolist():
            beside[a].add(b)
            beside[b].add(a)
    into = np.arange(p)
    small = [k for k in np.argsort(size, kind="stable").tolist() if not kept[k] or size[k] < least]
    for k in small:
        if not beside[k] or (kept[k] and size[k] >= least):
            continue
        options = sorted(beside[k])
        apart = [((total[k] / size[k] - total[j] / size[j]) ** 2).sum() for j in options]
        j = options[int(np.argmin(apart))]
        into[into == k] = j
        size[j] += size[k]
        total[j] += total[k]
        beside[j] = (beside[j] | beside[k]) - {j, k}
        for other in beside[k] - {j}:
            beside[other] = (beside[other] - {k}) | {j}
    return np.unique(into[piece], return_inverse=True)[1].reshape(number.shape)
