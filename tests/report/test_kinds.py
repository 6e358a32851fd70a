"""Every kind of picture from real answers, as PNG, SVG and page; what is drawn is what the answer holds."""

from __future__ import annotations

import base64
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from ascribe.core.answer import Answer, answered
from ascribe.core.errors import InputError, NotFound, SchemaError
from ascribe.report.beeswarm import swarm
from ascribe.report.drawn import View
from ascribe.report.force import levels_of
from ascribe.report.heatmap import order_of
from ascribe.report.image import borders, values_of
from ascribe.report.kinds import KINDS, draw, fitting, save

from .answers import HOSTILE, NAMES, OF, image, looked, seen, table, text
from .made import power

SVG = "{http://www.w3.org/2000/svg}"


class Page(HTMLParser):
    """Tags with their attributes, the cells of the table, texts, and scripts."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.cells, self.texts, self.scripts = [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.cells.append([])
        if tag == "td" and "data-v" in dict(attrs):
            self.cells[-1].append(float(dict(attrs)["data-v"]))

    def handle_data(self, data):
        (self.scripts if self.tags and self.tags[-1][0] == "script" else self.texts).append(data)

    def told(self, name):
        return json.loads(re.search(rf"{name} = (\{{.*?\}}), ?(?:cells|tip) =", self.scripts[0]).group(1))


def page_of(answer, kind, path, view=None):
    return Page(save(draw(answer, kind, view), answer, path / f"{kind}.html"))


def svg_of(answer, kind, path, view=None):
    return ET.parse(save(draw(answer, kind, view), answer, path / f"{kind}.svg")).getroot()


def marks(root, prefix):
    return [e for e in root.iter() if re.fullmatch(rf"{prefix}-\d+(-\d+)?", e.get("id", ""))]


def width_of(mark):
    """Of a bar or arrow: its extent across, in points."""
    path = next(e for e in mark.iter(f"{SVG}path"))
    x = [float(v) for v in re.findall(r"[ML] (-?[\d.]+)", path.get("d"))]
    return max(x) - min(x)


def test_the_table_holds_every_kind():
    assert set(KINDS) == set(OF) == {
        "waterfall", "force", "bar", "beeswarm", "heatmap", "dependence", "image", "text", "attention", "features",
        "days",
    }  # fmt: skip


@pytest.mark.parametrize("suffix", ["png", "svg", "html"])
@pytest.mark.parametrize("kind", sorted(OF))
def test_each_kind_is_a_file_of_each_sort(kind, suffix, tmp_path):
    answer = OF[kind]()
    path = save(draw(answer, kind), answer, tmp_path / f"p.{suffix}", "Said.")
    if suffix == "png":
        with Image.open(path) as picture:
            grey = np.asarray(picture.convert("L"))
        assert grey.shape[1] >= 500
        assert (grey[0] == 255).all() and (grey[-1] == 255).all() and (grey[:, 0] == 255).all()  # nothing runs out
        assert (grey[:, -1] == 255).all()
        assert (grey < 200).sum() > 1000
    elif suffix == "svg":
        assert "".join(ET.parse(path).getroot().itertext()).strip()
    else:
        page = path.read_text()
        assert "Said." in page
        assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:|#)""", page)  # nothing is fetched
        assert "://" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)


@pytest.mark.parametrize("kind", sorted(OF))
def test_the_same_answer_is_the_same_page(kind, tmp_path):
    answer = OF[kind]()
    one, two = (save(draw(answer, kind), answer, tmp_path / f"{k}.html").read_text() for k in range(2))
    assert one == two


def test_bars_of_an_svg_are_as_long_as_the_values(tmp_path):
    a = table().attribution
    size = np.sort(np.abs(a.values).mean(axis=0))[::-1]
    drawn = [width_of(m) for m in marks(svg_of(table(), "bar", tmp_path), "bar")]
    assert np.array(drawn) / drawn[0] == pytest.approx(size / size[0], abs=2e-3)


def test_arrows_of_a_force_lead_from_the_base_value_to_the_prediction(tmp_path):
    a, row = table().attribution, 3
    view = View(rows=(row,))
    arrows = [width_of(m) for m in marks(svg_of(table(), "force", tmp_path, view), "force")]
    values = [cells[0] for cells in page_of(table(), "force", tmp_path, view).cells[1:]]
    assert np.abs(values) / np.abs(values).max() == pytest.approx(np.array(arrows) / max(arrows), abs=5e-3)
    assert a.base_value + sum(values) == pytest.approx(a.prediction[row], abs=1e-9)


@pytest.mark.parametrize("top", [1, 2, 3, 5])
@pytest.mark.parametrize("kind", ["force", "waterfall"])
def test_what_is_folded_is_kept_in_the_sum(kind, top, tmp_path):
    a, row = table().attribution, 7
    page = page_of(table(), kind, tmp_path, View(rows=(row,), top=top))
    values = [cells[-2] for cells in page.cells[1:]]  # value, standard error
    assert a.base_value + sum(values) == pytest.approx(a.prediction[row], abs=1e-9)


def test_a_beeswarm_has_a_point_for_each_row_and_player_at_its_value(tmp_path):
    root = svg_of(table(), "beeswarm", tmp_path)
    a = table().attribution
    order = np.argsort(-np.abs(a.values).mean(axis=0), kind="stable")
    for k, mark in enumerate(marks(root, "swarm")):
        x = np.array([float(use.get("x")) for use in mark.iter(f"{SVG}use")])
        phi = a.values[:, order[k]]
        assert len(x) == len(a)
        if np.ptp(phi) > 0.1:
            assert np.corrcoef(x, phi)[0, 1] == pytest.approx(1, abs=1e-6)
    page = page_of(table(), "beeswarm", tmp_path)
    tips = page.told("tips")
    assert len(tips) == 5 and all(len(one) == len(a) for one in tips.values())
    assert tips["swarm-0"][0].startswith("row 0: ")


def test_points_of_a_dependence_are_value_and_share(tmp_path):
    a = table().attribution
    page = page_of(table(), "dependence", tmp_path, View(feature="heat", colour="fans"))
    held = np.array(page.cells[1:])
    assert held[:, :3] == pytest.approx(np.stack([a.data[:, 1], a.values[:, 1], a.stderr[:, 1]], axis=1), abs=1e-12)
    assert held[:, 3] == pytest.approx(a.data[:, 2], abs=1e-12)
    automatic = draw(table(), "dependence", View(feature="heat"))
    assert automatic.head[-1] == "fans"  # f holds heat * fans
    with pytest.raises(SchemaError, match="no feature 'nope'"):
        draw(table(), "dependence", View(feature="nope"))


def test_a_heat_map_holds_each_value_once_in_either_order(tmp_path):
    a = table().attribution
    for order in ("similarity", "time"):
        cells = page_of(table(), "heatmap", tmp_path, View(order=order)).told("cells")["heat"]
        rows = [int(name.removeprefix("row ")) for name in cells["columns"]]
        assert sorted(rows) == list(range(len(a)))
        players = [NAMES.index(name) for name in cells["lines"]]
        assert np.array(cells["values"]) == pytest.approx(a.values[np.ix_(rows, players)].T, rel=1e-3, abs=1e-9)
    assert rows == list(range(len(a)))
    with pytest.raises(InputError, match="similarity or time"):
        draw(table(), "heatmap", View(order="size"))


def test_similar_rows_stand_together():
    values = np.random.default_rng(0).standard_normal((60, 4)) * 0.1
    values[::2] += 5
    order = order_of(values, "similarity") % 2
    assert (np.diff(order) != 0).sum() == 1
    assert sorted(order_of(np.random.default_rng(1).standard_normal((2000, 3)), "similarity")) == list(range(2000))


@pytest.mark.parametrize("segments", [False, True], ids=["pixels", "segments"])
def test_an_image_shows_the_sum_over_channels_or_the_segments_value(segments, tmp_path):
    answer = image(segments)
    a, (h, w, c) = answer.attribution, answer.layout.shape
    cells = page_of(answer, "image", tmp_path).told("cells")["overlay-0-1"]
    shown = np.array(cells["values"])
    if segments:
        owner = a.segments[0].reshape(h, w, c)[:, :, 0]
        for k in np.unique(owner):
            assert shown[owner == k] == pytest.approx(a.values[0][a.segments[0] == k].sum(), rel=1e-3, abs=1e-9)
    else:
        assert shown == pytest.approx(a.values[0].reshape(h, w, c).sum(axis=2), rel=1e-3, abs=1e-9)
    texts = " ".join(svg_of(answer, "image", tmp_path, View(rows=(0,))).itertext())
    told = {m[0]: float(m[1].replace("\N{MINUS SIGN}", "-").replace(",", ""))
            for m in re.findall(r"(raises it|lowers it): ([+\N{MINUS SIGN}][\d.,]+)", texts)}  # fmt: skip
    assert a.bases[0] + sum(told.values()) == pytest.approx(
        a.prediction[0], abs=a.info.gaps.get("completeness_gap", 0) + 2e-3
    )


def test_the_photo_of_a_page_is_the_row(tmp_path):
    answer = image()
    root = svg_of(answer, "image", tmp_path)
    first = next(root.iter(f"{SVG}image"))
    raw = base64.b64decode(first.get("{http://www.w3.org/1999/xlink}href").split(",")[1])
    with Image.open(io.BytesIO(raw)) as picture:
        shown = np.asarray(picture.convert("RGB"), dtype=float)
    row = answer.attribution.data[0].reshape(answer.layout.shape)
    flipped = min(np.abs(shown - row).max(), np.abs(shown[::-1] - row).max()) if shown.shape == row.shape else None
    assert flipped is not None and flipped <= 1.0


def test_borders_lie_where_segments_meet():
    owner = np.array([[0, 0, 1], [0, 2, 1]])
    assert len(borders(owner)) == (owner[:, 1:] != owner[:, :-1]).sum() + (owner[1:] != owner[:-1]).sum()
    assert borders(np.zeros((3, 3), int)) == []
    assert values_of(image(True), 0)[1] is not None


def test_words_of_a_page_carry_their_values(tmp_path):
    answer, a = text(), text().attribution
    page = page_of(answer, "text", tmp_path)
    spans = [(attrs["data-tip"], float(attrs["data-v"])) for tag, attrs in page.tags if attrs.get("class") == "word"]
    assert [tip.split(":")[0] for tip, _ in spans] == ["the", "good", "film", "a", "bad", "plot", "of", "the", "end"]
    assert [v for _, v in spans] == pytest.approx([*a.values[0, :3], *a.values[1]], abs=1e-12)
    assert a.values[0, 3:] == pytest.approx(0, abs=1e-12)  # padding
    waterfall = draw(answer, "waterfall", View(rows=(0,)))
    assert waterfall.rows[0][1].startswith("base value")
    assert {"“good”", "“film”"} <= {row[1] for row in waterfall.rows}


def test_attention_shows_each_head_and_never_a_share(tmp_path):
    answer, m = looked(), looked().matrices
    cells = page_of(answer, "attention", tmp_path).told("cells")
    assert len(cells) == sum(w.shape[1] for w in m.weights) + 1
    whole = [w[0, h] for w in m.weights for h in range(w.shape[1])]
    keep = m.extra + 3  # the first three columns are words
    assert np.array(cells["attention-0"]["values"]) == pytest.approx(whole[0][:keep, :keep], rel=1e-3)
    assert cells["attention-0"]["columns"] == ["[0]", "the", "good", "film"]
    assert "no share of the prediction" in " ".join(svg_of(answer, "attention", tmp_path).itertext())
    one = draw(answer, "attention", View(layer=f"{m.layers[1]}/2"))
    assert len(one.cells) == 1
    assert next(iter(one.cells.values())).values == pytest.approx(m.weights[1][0, 2][:keep, :keep])
    for head in ("9", "²"):
        with pytest.raises(NotFound, match=f"no head '{head}'"):
            draw(answer, "attention", View(layer=f"{m.layers[1]}/{head}"))
    with pytest.raises(NotFound, match="no layer 'x'"):
        draw(answer, "attention", View(layer="x"))


def test_maps_are_those_of_the_layer_the_strongest_first(tmp_path):
    maps = seen().maps["cells"][0]
    cells = page_of(seen(), "features", tmp_path).told("cells")
    order = np.argsort(-np.abs(maps).mean(axis=(1, 2)), kind="stable")
    assert list(cells) == [f"map-{k}" for k in order]
    for k in order:
        assert np.array(cells[f"map-{k}"]["values"]) == pytest.approx(maps[k], rel=1e-3)


WRONG = [
    (table, "image", "image is drawn of image rows, and these are table rows: this answer can be drawn as waterfall"),
    (table, "attention", "holds no attention weights"),
    (table, "features", "holds no maps"),
    (image, "waterfall", "waterfall is drawn of table or series or text rows"),
    (text, "beeswarm", "beeswarm is drawn of table or series rows"),
    (looked, "force", "attention does not add up to the prediction, so it has no force"),
    (table, "cake", "no kind 'cake' of picture: use waterfall, force"),
]


@pytest.mark.parametrize(("answer", "kind", "line"), WRONG, ids=[f"{w[0].__name__}-{w[1]}" for w in WRONG])
def test_a_kind_that_does_not_fit_is_refused_in_one_line(answer, kind, line):
    with pytest.raises(InputError) as caught:
        draw(answer(), kind)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_kind_that_fits_is_drawn():
    for make in (table, image, text, looked, seen):
        for kind in fitting(make()):
            assert draw(make(), kind).figure is not None


@pytest.mark.parametrize("kind", ["waterfall", "force", "bar", "beeswarm", "heatmap", "dependence"])
def test_hostile_names_are_only_text(kind, tmp_path):
    answer = table(12, HOSTILE)
    named = replace(answer, labels=tuple(f"{HOSTILE}{k}" for k in range(12)))
    for suffix in ("png", "svg"):
        save(draw(named, kind), named, tmp_path / f"p.{suffix}", HOSTILE)
    ET.parse(tmp_path / "p.svg")
    page = Page(save(draw(named, kind), named, tmp_path / "p.html", HOSTILE))
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert "\x00" not in (tmp_path / "p.html").read_text()


@pytest.mark.parametrize("rows", [1, 3])
def test_where_all_predictions_are_equal_the_tick_is_at_the_line(rows):
    answer = table(3)
    a = answer.attribution
    level = replace(answer, attribution=replace(a, prediction=np.full(3, 850e3)))
    axes = draw(level, "heatmap", View(rows=tuple(range(rows)))).figure.axes[0]
    (tick,) = axes.get_yticks()
    assert tick == pytest.approx(axes.lines[0].get_ydata()[0]) == 850
    assert axes.get_yticklabels()[0].get_text() == "850.0 kW"


def test_players_whose_long_names_are_drawn_alike_keep_their_own_values():
    names = tuple(f"node_network_receive_bytes_total_eth{k}_of_rack_a_per_second_mean" for k in range(2))
    told = replace(
        power(), values=np.array([[30.0, -4.0]]), prediction=np.array([131.0]), stderr=np.zeros((1, 2)), ess=np.ones(1),
        status=np.array(["ok"]), reasons=("",), features=names, columns=names, data=np.array([[11.0, 22.0]]),
    )  # fmt: skip
    (axes,) = draw(Answer(told), "waterfall").figure.axes
    shown = [text.get_text() for text in axes.get_yticklabels()][1:3]
    assert [label.partition("…")[0] for label in shown] == ["node_network_receive_b"] * 2
    assert [label.rpartition(" = ")[2] for label in shown] == ["11", "22"]


@pytest.mark.parametrize("kind", ["force", "bar", "beeswarm", "heatmap", "dependence", "waterfall"])
def test_rows_without_an_answer_are_left_out_or_refused(kind):
    answer = Answer(power())
    assert answered(answer.attribution).sum() == 3
    drawn = draw(answer, kind)
    assert not any("row 3" in str(cell) or "row 4" in str(cell) for row in drawn.rows for cell in row)
    if kind in ("force", "waterfall"):
        with pytest.raises(InputError, match="row 3 has no answer to draw"):
            draw(answer, kind, View(rows=(3,)))


def test_wrong_options_are_told():
    with pytest.raises(InputError, match="there is no row 99"):
        draw(table(), "beeswarm", View(rows=(99,)))
    with pytest.raises(InputError, match="opacity"):
        draw(image(), "image", View(opacity=2.0))
    with pytest.raises(InputError, match=r"end it in \.png, \.svg, \.html"):
        save(draw(table(), "bar"), table(), "p.gif")


def test_points_of_a_swarm_do_not_hide_one_another_while_there_is_room():
    x = np.random.default_rng(0).random(500)
    y = swarm(x, 0.05, 0.01, 10.0)
    for stretch in range(20):
        held = y[np.floor((x - x.min()) / 0.05) == stretch]
        assert len(np.unique(held)) == len(held)
    assert np.abs(swarm(np.zeros(1000), 1.0, 0.1, 0.4)).max() <= 0.4 + 1e-12


def test_labels_on_one_line_do_not_meet():
    rng = np.random.default_rng(1)
    spans = sorted((x, x + w) for x, w in zip(rng.random(40), rng.random(40) * 0.3, strict=True))
    levels = levels_of(spans)
    for level in set(levels):
        held = [s for s, k in zip(spans, levels, strict=True) if k == level]
        assert all(b[0] > a[1] for a, b in pairwise(held))
