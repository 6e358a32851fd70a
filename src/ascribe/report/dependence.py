"""Dependence: a feature's own value against what it accounts for, a point for each row, coloured by another feature."""

from __future__ import annotations

from dataclasses import replace

from ascribe.core.answer import Answer
from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError, SchemaError
from ascribe.core.quantities import in_units, scale_of, unit_in_words
from ascribe.core.words import listed, quoted
from ascribe.report.captions import words_for
from ascribe.report.colours import BARE, VALUE, ramp
from ascribe.report.drawn import Drawn, View
from ascribe.report.frame import framed, name_of, plain_axes, strip
from ascribe.report.ink import measured
from ascribe.report.panel import LINE, SMALL, SOFT
from ascribe.report.ranked import ranked, unit_of

__all__ = ["companion", "dependence"]

WIDE, HIGH, LEFT = 6.6, 4.2, 0.85  # inches
BINS = 10


def companion(x: Float[np.ndarray, " r"], phi: Float[np.ndarray, " r"], others: Float[np.ndarray, "r k"]) -> int:
    """The column that goes best with what x alone leaves of phi: the largest |correlation| with phi less its mean
    among rows of like x (ten stretches of the sorted x). A hint at an interaction, no test of one.
    """
    place = np.argsort(np.argsort(x, kind="stable"), kind="stable") * BINS // max(len(x), 1)
    count = np.maximum(np.bincount(place, minlength=BINS), 1)

    def centred(v: np.ndarray) -> np.ndarray:
        return np.asarray(v - (np.bincount(place, v, BINS) / count)[place])

    rest, held = centred(phi), np.nan_to_num(others)
    size = np.zeros(others.shape[1])
    for k in range(others.shape[1]):
        other = centred(held[:, k])
        norm = np.sqrt((rest**2).sum() * (other**2).sum())
        size[k] = abs(float(rest @ other)) / norm if norm > 0 else 0.0
    return int(size.argmax())


def dependence(answer: Answer, view: View) -> Drawn:
    """Raises SchemaError for a name that is no feature, InputError where players have no value of their own."""
    a = answer.attribution
    held = ranked(answer, len(a.features), view.rows)
    if not answer.columns or not np.isfinite(held.data).any():
        raise InputError("players of this answer are groups, without a value of their own: explain single features")
    feature = view.feature or next(n for n, d in zip(held.names, held.data.T, strict=True) if np.isfinite(d).any())
    x, phi, se = (_column(held.names, m, feature) for m in (held.data, held.values, held.stderr))
    rest = [k for k, name in enumerate(held.names) if name != feature]
    colour = view.colour
    if not colour and rest:
        colour = held.names[rest[companion(x, phi, held.data[:, rest])]]
    tint = _column(held.names, held.data, colour) if colour else np.full(len(x), np.nan)
    scale, own = scale_of(phi, unit_of(answer)), scale_of(x, answer.unit(feature))
    words = words_for(a, f"{name_of(feature)} accounts for: ", scale.unit, False)
    words = replace(
        words, head=words.head.replace("what each feature accounts for", f"what {name_of(feature)} accounts for")
    )
    texts = answer.told[feature].categories if feature in answer.told else ()
    slanted = len(texts) > 4
    below = 0.5 + (0.5 * max(measured().width(name_of(t), SMALL) for t in texts) if slanted else 0.0)
    body = framed(words, LEFT + WIDE + 1.45, HIGH + below + 0.1)
    axes = body.axes(LEFT, 0, WIDE, HIGH)
    plain_axes(axes, "both")
    across, up = (x if texts else x / 10.0**own.power), phi / 10.0**scale.power
    axes.axhline(0, color=LINE, linewidth=1)
    visible = bool((se > 1e-3 * np.abs(phi).max()).any())
    if visible:
        axes.errorbar(across, up, yerr=se / 10.0**scale.power, fmt="none", ecolor="#C4C4C4", elinewidth=0.8, zorder=1)
    low, high = _ends(tint)
    colours = ramp(VALUE)
    points = axes.scatter(across, up, c=np.clip(tint, low, high), cmap=colours, vmin=low, vmax=high, s=18, linewidths=0,
                          plotnonfinite=True, zorder=2)  # fmt: skip
    points.set_gid("dependence")
    if texts:
        axes.set_xticks(range(len(texts)), [name_of(t) for t in texts])
        for text in axes.get_xticklabels():
            text.set(parse_math=False, rotation=30 if slanted else 0, ha="right" if slanted else "center")
    unit = "" if texts else unit_in_words(own.unit)
    axes.set_xlabel(body.ink.fitted(name_of(feature) + f" ({unit})" * bool(unit), SMALL, WIDE),
                    size=SMALL, color=SOFT, parse_math=False)  # fmt: skip
    label = f"{name_of(feature)} accounts for" + f" ({scale.unit})" * bool(scale.unit)
    axes.set_ylabel(body.ink.fitted(label, SMALL, HIGH), size=SMALL, color=SOFT, parse_math=False)
    if np.isfinite(tint).any():
        least, most = (_text(answer, colour, v) for v in (low, high))
        strip(body, (LEFT + WIDE + 0.25, 0, 0.13, HIGH), colours, least, most, name_of(colour))
        if not np.isfinite(tint).all():
            body.write(LEFT + WIDE + 1.45, HIGH + 0.3, [("grey: missing", SMALL, BARE, "normal")], "right")
    if visible:
        body.write(LEFT, HIGH + below - 0.08, [("whisker: ± standard error", SMALL, SOFT, "normal")])
    tips = [
        f"{answer.label(int(row))}: {feature} = {answer.shown(int(row), feature)}, "
        + scale.amount(float(v), 3, sign=True)
        + (f" ± {scale.number(float(e), 3)}" if e > 0 else "")
        for row, v, e in zip(held.rows, phi, se, strict=True)
    ]
    return Drawn(
        body.figure,
        f"Dependence of {feature} over {len(x)} rows" + (f", coloured by {colour}." if colour else "."),
        ("row", feature, "accounts for", "standard error", colour or "-"),
        tuple(
            (answer.label(int(row)), *map(float, numbers))
            for row, *numbers in zip(held.rows, x, phi, se, tint, strict=True)
        ),
        {"dependence": tips},
    )


def _text(answer: Answer, name: str, value: float) -> str:
    """A value of a column in words."""
    texts = answer.told[name].categories if name in answer.told else ()
    return name_of(texts[int(value)]) if texts and value in range(len(texts)) else in_units(value, answer.unit(name))


def _column(names: tuple[str, ...], held: Float[np.ndarray, "r k"], name: str) -> Float[np.ndarray, " r"]:
    if name not in names:
        raise SchemaError(f"no feature {quoted(name)}: this answer has {listed(names)}")
    return held[:, names.index(name)]


def _ends(data: Float[np.ndarray, " r"]) -> tuple[float, float]:
    good = data[np.isfinite(data)]
    if not len(good):
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(good, [5, 95]))
    return (low, high) if low < high else (float(good.min()), float(good.max()))
