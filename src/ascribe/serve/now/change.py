"""What changed between two moments of a node, counter by counter.

    change_j = phi_j(later) - phi_j(earlier)
    sum over j of change_j + base_1 - base_0 = f_1 - f_0          se_j = sqrt(se_j0^2 + se_j1^2)

The same plan explained both, so a part of their errors is common and would cancel: these errors are rather too large.
"""

from __future__ import annotations

import numpy as np

from ascribe.core.changed import say_change
from ascribe.core.errors import NotFound
from ascribe.serve.now.messages import Change, ChangeEnd, FeatureChange
from ascribe.serve.now.rings import Columns
from ascribe.serve.now.series import Series
from ascribe.serve.now.shown import number
from ascribe.serve.now.track import shares_of
from ascribe.serve.now.when import clock_times

__all__ = ["change_of"]


def change_of(series: Series, node: str, model: str, old: Columns, new: Columns, language: str) -> Change:
    """From one moment (1 row) to another. Raises NotFound where one of them has no answer, InputError for an unknown
    language.
    """
    for rows in (old, new):
        if not np.isfinite(rows["prediction"][0]):
            raise NotFound(f"the moment {int(rows['t_us'][0])} of {node} has no answer: choose another one")
    before, after = shares_of(old)[0], shares_of(new)[0]
    values, errors = after - before, np.hypot(old["stderr"][0].astype(float), new["stderr"][0].astype(float))
    groups = values @ series.member
    group_errors = np.hypot(old["group_stderr"][0].astype(float), new["group_stderr"][0].astype(float))
    home = {j: group for group, columns in series.groups.items() for j in columns}
    ends = [_end(series, rows) for rows in (old, new)]
    times = clock_times(ends[0].timestamp_us, ends[1].timestamp_us)
    told = [(when, end.prediction_w) for when, end in zip(times, ends, strict=True)]
    sentence = say_change(node, told[0], told[1], series.names, values, errors, series.unit, language)
    features = [
        FeatureChange(
            series.features[j].name, home[j], series.features[j].unit, number(old["X"][0, j]), number(new["X"][0, j]),
            float(values[j]), number(errors[j]),
        )
        for j in np.argsort(-np.abs(values), kind="stable").tolist()
    ]  # fmt: skip
    return Change(
        node, model, series.unit, ends[0], ends[1], ends[1].prediction_w - ends[0].prediction_w,
        ends[1].base_w - ends[0].base_w, dict(zip(series.groups, groups.tolist(), strict=True)),
        {g: number(e) for g, e in zip(series.groups, group_errors, strict=True)}, features, language, sentence,
    )  # fmt: skip


def _end(series: Series, rows: Columns) -> ChangeEnd:
    return ChangeEnd(
        int(rows["t_us"][0]), number(rows["measured"][0]), float(rows["prediction"][0]), float(rows["base"][0]),
        series.versions[int(rows["version"][0])], float(rows["mean_s"][0]),
    )  # fmt: skip
