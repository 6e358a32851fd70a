import subprocess
import sys
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

from ascribe.core.errors import InputError, MissingExtra
from ascribe.core.quantities import MINUS
from ascribe.report.account import account_of
from ascribe.report.plots import bars, save, waterfall

from .made import BASE, BROKEN, BUSY, IDLE, INVALID, NAMES, TINY, UNITS, power


def rectangles(axes):
    return [patch for patch in axes.patches if patch.get_gid()]


def names_of(axes):
    return [text.get_text() for text in axes.get_yticklabels()]


def numbers_of(axes):
    return [text.get_text() for text in axes.texts]


def ends(rectangle):
    return rectangle.get_x(), rectangle.get_x() + rectangle.get_width()


def mark(axes, kind):
    return next(float(line.get_xdata()[0]) for line in axes.lines if line.get_gid() == kind)


def written(figure):
    return [text.get_text() for text in figure.texts]


@pytest.mark.parametrize("row", [BUSY, IDLE, TINY])
@pytest.mark.parametrize("top", [1, 12, 31, 40])
def test_bars_lead_from_the_base_value_to_the_prediction(row, top):
    told = power()
    axes = waterfall(told, [row], top=top).axes[0]
    edges = [ends(rectangle) for rectangle in rectangles(axes)]
    assert edges[0][0] == pytest.approx(BASE)
    for (_, end), (start, _) in pairwise(edges):
        assert start == pytest.approx(end, abs=1e-9)
    assert edges[-1][1] == pytest.approx(told.prediction[row])
    assert mark(axes, "base") == pytest.approx(BASE)
    assert mark(axes, "prediction") == pytest.approx(told.prediction[row])


def test_measured_watts_close_the_account():
    told = power()
    measured = told.prediction[BUSY] + 3.1
    figure = waterfall(told, [BUSY, IDLE], measured=[measured, None])
    first, second = figure.axes
    assert ends(rectangles(first)[-1]) == pytest.approx((told.prediction[BUSY], measured))
    assert rectangles(first)[-1].get_gid() == "unexplained"
    assert names_of(first)[-2:] == ["unexplained", "measured"]
    assert numbers_of(first)[-2:] == ["+3.1 W", "190.1 W"]
    assert mark(first, "measured") == pytest.approx(measured)
    assert names_of(second)[-1] == "prediction"
    assert names_of(waterfall(told, [IDLE], measured=[float("nan")]).axes[0])[-1] == "prediction"


def test_players_come_by_size_with_their_own_values():
    told = power()
    axes = waterfall(told, [BUSY], units=UNITS).axes[0]
    names = names_of(axes)
    assert names[0] == "base value, E f(X)"
    assert names[-2:] == ["20 other features", "prediction"]
    assert "instructions = 6.3 G count" in names
    assert "cpu-cycles = 27.6 G count" in names
    widths = np.abs([r.get_width() for r in rectangles(axes) if r.get_gid() == "player"])
    assert len(widths) == 12
    assert (np.diff(widths) <= 0).all()
    assert numbers_of(axes)[0] == "105.0 W"
    assert numbers_of(axes)[-1] == "187.0 W"


def test_sign_is_told_by_colour_and_by_text():
    axes = waterfall(power(), [IDLE]).axes[0]
    seen = {}
    players = [r for r in rectangles(axes) if r.get_gid() == "player"]
    for rectangle, text in zip(players, numbers_of(axes)[1:], strict=False):
        assert text[0] == ("+" if rectangle.get_width() > 0 else MINUS)
        assert text.endswith(" W")
        seen.setdefault(text[0], set()).add(rectangle.get_facecolor())
    assert len(seen) == 2
    assert all(len(colours) == 1 for colours in seen.values())
    assert seen["+"] != seen[MINUS]


def test_the_folded_bar_is_the_sum_of_the_others():
    told = power()
    order = np.argsort(-np.abs(told.values[BUSY]))[12:]
    folded = next(e for e in account_of(told, BUSY, 12) if e.kind == "folded")
    assert folded.value == pytest.approx(told.values[BUSY, order].sum())
    assert folded.error == pytest.approx(np.sqrt((told.stderr[BUSY, order] ** 2).sum()))
    assert not [e for e in account_of(told, BUSY, 31) if e.kind == "folded"], "one player is not folded"


def test_whiskers_are_standard_errors():
    told = power()
    axes = waterfall(told, [BUSY], top=40).axes[0]
    spans = [c.get_segments()[0][:, 0] for c in axes.collections]
    largest = np.argsort(-np.abs(told.values[BUSY]), kind="stable")
    assert [np.ptp(span) / 2 for span in spans] == pytest.approx(told.stderr[BUSY, largest])
    unknown = waterfall(power(stderr=np.full(told.values.shape, np.nan)), [BUSY])
    assert not unknown.axes[0].collections
    assert not any("whisker" in text for text in written(unknown))


def test_what_the_method_leaves_over_has_a_bar():
    told = power()
    off = power(prediction=told.prediction + 2.0)
    gap = rectangles(waterfall(off, [BUSY]).axes[0])[-1]
    assert gap.get_gid() == "gap"
    assert ends(gap) == pytest.approx((told.prediction[BUSY], told.prediction[BUSY] + 2.0))


def test_the_sheet_says_how_the_numbers_came_about():
    words = " ".join(written(waterfall(power(), [BUSY, IDLE], ["busy", "idle"])))
    for wanted in (
        "node power in watts", "conditional_shap", "conditional game",
        "2,048 coalitions \N{MULTIPLICATION SIGN} 64 completions",
        "model version 9f3ac1d20b7e", "busy", "idle", "+ raises the prediction", "√Σse²", "lengths compare",
    ):  # fmt: skip
        assert wanted in words
    assert "caution, out of domain: uptime = 9 s outside" in written(waterfall(power(), [TINY]))


def test_a_watt_is_as_long_in_every_panel_unless_one_would_vanish():
    alike = [np.ptp(a.get_xlim()) for a in waterfall(power(), [BUSY, IDLE]).axes]
    assert alike[0] == pytest.approx(alike[1])
    apart = waterfall(power(), [BUSY, TINY])
    assert np.ptp(apart.axes[1].get_xlim()) < 0.1
    assert any("own scale" in text for text in written(apart))


def test_no_unit_is_fine_and_groups_show_no_value():
    told = power()
    grouped = power(
        values=told.values[:, :3], stderr=told.stderr[:, :3], features=("processor", "memory", "rest"),
        prediction=BASE + told.values[:, :3].sum(axis=1), info=replace(told.info, unit="", game="baseline"),
    )  # fmt: skip
    figure = waterfall(grouped, [BUSY])
    assert sorted(names_of(figure.axes[0])) == sorted(
        ["base value, f(reference)", "processor", "memory", "rest", "prediction"]
    )
    assert numbers_of(figure.axes[0])[0] == "105.0"
    assert written(figure)[0] == "node power: what each player accounts for"


def nothing_overlaps_or_is_cut(figure):
    renderer = figure.canvas.get_renderer()
    figure.canvas.draw()
    texts = list(figure.texts)
    for axes in figure.axes:
        texts += [*axes.texts, *axes.get_yticklabels(), *axes.get_xticklabels(), axes.xaxis.label]
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_text()]
    boxes = [(text, box.padded(-1)) for text, box in boxes]
    width, height = figure.canvas.get_width_height()
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.x1 <= width, text
        assert box.y0 >= 0, text
        assert box.y1 <= height, text
    return [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if one.overlaps(other)] == []


LONG = tuple(f"{name} of $all$ cores on both sockets of the machine" for name in NAMES)
NOTHING = np.zeros((5, len(NAMES)))


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ({}, [BUSY, IDLE]),
        ({}, [BUSY, TINY]),
        ({"features": LONG}, [BUSY, IDLE]),
        ({"values": NOTHING, "prediction": np.full(5, BASE), "stderr": NOTHING}, [BUSY]),
        ({"stderr": np.full((5, len(NAMES)), 30.0)}, [BUSY, IDLE, TINY]),
    ],
)  # fmt: skip
def test_nothing_overlaps_and_nothing_is_cut(changes, rows):
    told = power(**changes)
    titles = ["a title of many words that has to go on to a second line, since it says far too much"] * len(rows)
    measured = [float(told.prediction[row]) + 0.01 for row in rows]
    assert nothing_overlaps_or_is_cut(waterfall(told, rows, titles, measured, units=UNITS))


def test_a_unit_of_many_words_fits_too():
    told = power()
    long = power(info=replace(told.info, unit="requests per second and per core", output="a_long_name_" * 8))
    assert nothing_overlaps_or_is_cut(waterfall(long, [BUSY, IDLE], measured=[190.0, 60.0]))
    assert nothing_overlaps_or_is_cut(bars(long))


def test_bars_are_mean_sizes_of_answered_rows():
    told = power()
    figure = bars(told, top=5)
    axes = figure.axes[0]
    size = np.abs(told.values[:3]).mean(axis=0)
    drawn = [r.get_width() for r in rectangles(axes)]
    assert drawn[:5] == pytest.approx(np.sort(size)[::-1][:5])
    assert sum(drawn) == pytest.approx(size.sum())
    assert {r.get_x() for r in rectangles(axes)} == {0.0}
    assert names_of(axes)[-1] == "27 other features, sum"
    assert numbers_of(axes)[0] == f"{drawn[0]:.1f} W"
    assert "mean |value| over 3 rows (2 without an answer left out)" in written(figure)
    assert nothing_overlaps_or_is_cut(figure)


def test_attention_is_never_drawn_as_watts():
    told = power()
    attention = power(info=replace(told.info, method="attention"))
    with pytest.raises(InputError, match="draw bars"):
        waterfall(attention, [BUSY])
    figure = bars(attention)
    assert not any("W" in text for text in numbers_of(figure.axes[0]))
    assert "watts" not in " ".join(written(figure))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": [INVALID]}, "row 3 .*invalid: cpu_user = 140 percent"),
        ({"rows": [BUSY, BROKEN]}, "row 4 .*not_finite: the model gave no finite number"),
        ({"rows": [5]}, "no row 5: choose from 0 to 4"),
        ({"rows": [-1]}, "no row -1"),
        ({"rows": []}, "0 rows were chosen"),
        ({"rows": [0] * 7}, "7 rows were chosen"),
        ({"rows": [0, 1], "titles": ["one"]}, "1 titles for 2 rows"),
        ({"rows": [0], "measured": [1.0, 2.0]}, "2 measured for 1 rows"),
        ({"rows": [0], "top": 0}, "top is 0"),
    ],
)
def test_broken_requests_say_what_to_do(arguments, message):
    with pytest.raises(InputError, match=message):
        waterfall(power(), **arguments)


def test_bars_need_an_answer():
    told = power()
    with pytest.raises(InputError, match="no row of this attribution was answered"):
        bars(power(status=np.array(["invalid"] * 5), values=np.full(told.values.shape, np.nan)))


@pytest.mark.parametrize(("name", "opening"), [("a.png", b"\x89PNG"), ("b.svg", b"<?xml"), ("C.PNG", b"\x89PNG")])
def test_a_figure_is_saved_by_suffix(tmp_path, name, opening):
    path = save(bars(power(), top=2), tmp_path / name)
    assert path.read_bytes().startswith(opening)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    figure = bars(power(), top=2)
    with pytest.raises(InputError, match=r"'a.jpg': end it in .png or .svg"):
        save(figure, tmp_path / "a.jpg")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write .*file"):
        save(figure, str(tmp_path / "file" / "a.png"))
    assert save(figure, tmp_path / "made" / "a.png").is_file()
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*folder.svg"):
        save(figure, tmp_path / "folder.svg")


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"ascribe\[report\]"):
        bars(power())


def test_importing_loads_no_matplotlib_and_drawing_no_pyplot():
    code = (
        "import sys\nimport ascribe.report.plots as plots\nassert 'matplotlib' not in sys.modules\n"
        "from made import power\nplots.bars(power())\nassert 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
