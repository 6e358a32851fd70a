"""Answers in words, word for word in both languages; the numbers that are said add up."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ascribe.core.answer import Answer
from ascribe.core.attribution import STATUS, Attribution, Info
from ascribe.core.errors import InputError
from ascribe.core.features import Feature
from ascribe.core.layout import Layout
from ascribe.core.phrases import PHRASES
from ascribe.core.sentences import say

NAMES = ("cpu_user", "mem", "disk", "net", "fan", "gpu")
INFO = Info("kernel_shap", "marginal", "background", "exact", 64, 100, 0, unit="W", output="node power")


def told(values, base=111.1, stderr=None, status="ok", reason="", info=INFO, **changes):
    values = np.atleast_2d(np.asarray(values, dtype=float))
    b, p = values.shape
    a = Attribution(
        values, base, base + values.sum(axis=1), np.zeros((b, p)) if stderr is None else np.atleast_2d(stderr),
        np.full(b, np.inf), np.full(b, status, dtype="<U13"), (reason,) * b, NAMES[:p],
        np.arange(b * p, dtype=float).reshape(b, p) + 61.2, info, NAMES[:p],
    )  # fmt: skip
    return replace(a, **changes)


ROW = told([[18.4, -2.0, 0.3, 13.0, 1.0, 0.5]], stderr=[[0.6, 0.1, 0.4, 0.2, 0.1, 0.1]])
UNITS = tuple(Feature(name, unit) for name, unit in zip(NAMES, ("percent", "bytes", "", "", "", ""), strict=True))

EXACT = [
    (
        "en",
        "xeon-07 draws 142.3 W, 31.2 W more than usual (111.1 W). cpu_user = 61.2 % accounts for +18.4 W (± 0.6), "
        "net = 64.2 for +13.0 W (± 0.2), mem = 62.2 B for \N{MINUS SIGN}2.0 W (± 0.1) and 3 others together "
        "for +1.8 W (± 0.4). "
        "± is one standard error.",
    ),
    (
        "zh",
        "xeon-07 的功率为 142.3 W，比通常值（111.1 W）高 31.2 W。其中cpu_user = 61.2 % 占 +18.4 W（± 0.6）、"  # noqa: RUF001
        "net = 64.2 占 +13.0 W（± 0.2）、mem = 62.2 B 占 \N{MINUS SIGN}2.0 W（± 0.1）、"  # noqa: RUF001
        "其余 3 项合计占 +1.8 W（± 0.4）。"  # noqa: RUF001
        "± 为一个标准误。",
    ),
]


@pytest.mark.parametrize(("language", "text"), EXACT, ids=["en", "zh"])
def test_a_row_word_for_word(language, text):
    assert say(Answer(ROW, UNITS, ("xeon-07",)), 0, language, top=3) == text


def test_a_share_within_two_standard_errors_is_not_told_from_zero():
    a = told([[5.0, 0.3, -4.0]], stderr=[[0.5, 0.4, 2.5]])
    assert say(a) == (
        "Row 0 draws 112.4 W, 1.3 W more than usual (111.1 W). cpu_user = 61.2 accounts for +5.0 W (± 0.5). "
        "Not to be told from zero: disk = 63.2 with \N{MINUS SIGN}4.0 W (± 2.5) and mem = 62.2 with +0.3 W (± 0.4). "
        "± is one standard error."
    )
    assert "与零无法区分的有：disk = 63.2 \N{MINUS SIGN}4.0 W（± 2.5）、mem = 62.2 +0.3 W（± 0.4）。" in say(a, 0, "zh")  # noqa: RUF001


@pytest.mark.parametrize("status", [word for word in STATUS if word != "ok"])
@pytest.mark.parametrize("language", sorted(PHRASES))
def test_every_status_is_said(status, language):
    a = told([[1.0, 2.0]], status=status, reason="uptime = 9 s")
    if status in ("invalid", "not_finite"):
        a = replace(a, values=a.values * np.nan)
    text = say(a, 0, language)
    assert PHRASES[language].status[status] in text and "uptime = 9 s" in text
    start = {"en": "There is no answer for row 0: ", "zh": "第 0 行没有答案"}[language]
    assert text.startswith(start) == (status in ("invalid", "not_finite"))


def test_a_class_is_told_with_its_space():
    info = replace(INFO, unit="", output="cat", space="probability")
    a = told([[0.5, 0.2]], base=0.13, info=info)
    assert say(a).startswith("The probability of cat for row 0 is 0.830, 0.700 more than usual (0.130).")
    assert say(a, 0, "zh").startswith("第 0 行属于“cat”的概率为 0.830，比通常值（0.130）高 0.700。")  # noqa: RUF001
    margin = replace(a, info=replace(info, space="margin", game="baseline"))
    assert say(margin).startswith("The margin of cat for row 0 is 0.830, 0.700 more than at the reference (0.130).")


def test_attention_has_words_of_its_own():
    info = replace(INFO, method="attention", game="attention", unit="", output="good", space="margin")
    a = told([[0.5, 0.2, 0.3]], info=info, base_value=float("nan"), prediction=np.array([1.5]))
    assert say(a, top=2) == (
        "For row 0 (good: 1.50) the network looked most at cpu_user (50.0 %) and disk (30.0 %). "
        "Attention says where a network looked, not what the prediction is made of."
    )
    assert "accounts for" not in say(a) and "占" not in say(a, 0, "zh")


def test_slopes_and_falls_are_not_shares():
    for game, word in (("slope", "steepest"), ("occlusion", "falls most")):
        a = told([[0.5, -0.2]], info=replace(INFO, game=game), base_value=float("nan"), prediction=np.array([3.0]))
        assert word in say(a) and "accounts for" not in say(a)


def test_words_and_regions_are_the_players_of_texts_and_images():
    layout = Layout("text", (5,), 0, ("", "a", "fine", "film"))
    a = told([[0.1, 0.4, 0.2, 0.0, 0.0]], base=0.1, info=replace(INFO, unit=""), data=np.array([[1.0, 2, 3, 0, 0]]),
             layout=layout)  # fmt: skip
    assert "“fine” accounts for +0.400, “film” for +0.200 and “a” for +0.100." in say(a)
    image = Layout("image", (2, 3, 1))
    values = np.array([[3.0, 3.0, -1.0, 3.0, 3.0, -1.0]])
    b = told(values, data=np.zeros((1, 6)), layout=image, segments=np.array([[0, 0, 1, 0, 0, 1]]))
    text = say(b)
    assert "the region around x 0, y 0 (66.7 % of the picture) accounts for +12.0 W" in text.replace("The", "the")
    assert "for \N{MINUS SIGN}2.0 W" in text
    c = replace(b, segments=None)
    assert "All pixels that raise it account for +12.0 W and all pixels that lower it for \N{MINUS SIGN}2.0 W." in say(
        c
    )


def test_several_rows_together():
    a = told([[10.0, -2.0], [20.0, 4.0], [np.nan, 1.0]])
    a = replace(a, status=np.array(["ok", "ok", "invalid"]))
    assert say(a) == (
        "Rows answered: 2; without an answer: 1. node power runs from 119.1 W to 135.1 W, 127.1 W on average; usual is "
        "111.1 W. On average over the rows and without sign, cpu_user accounts for 15.0 W and mem for 3.0 W."
    )
    assert say(a, language="zh").startswith("共回答 2 行，1 行没有答案。node power 在 119.1 W 到 135.1 W 之间")  # noqa: RUF001


PREFIX = {"n": 1e-9, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}


def numbers(text):
    """The signed amounts after the first sentence, which holds prediction and base value, in W; the last decimal that
    all amounts of the text have.
    """
    amounts = re.findall(r"([+\N{MINUS SIGN}]?)([\d,]+)\.(\d+) ([nµmk]?)W", text)
    _, _, rest = text.partition("。" if "。" in text else ").")
    found = re.findall(r"([+\N{MINUS SIGN}][\d,.]+) ([nµmk]?)W", rest)
    said = [float(m.replace("\N{MINUS SIGN}", "-").replace(",", "")) * PREFIX[p] for m, p in found]
    return said, PREFIX[amounts[0][3]] * 10.0 ** -min(len(decimals) for _, _, decimals, _ in amounts)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.floats(-500, 500).map(lambda v: round(v, 3)), min_size=1, max_size=6),
    st.floats(-800, 800).map(lambda v: round(v, 3)),
    st.integers(1, 6),
    st.floats(0, 3),
    st.sampled_from(sorted(PHRASES)),
    st.floats(-20, 20).map(lambda v: round(v, 3)),
)
def test_the_numbers_that_are_said_add_up(values, base, top, error, language, left):
    a = told([values], base=base, stderr=[[error] * len(values)])
    a = replace(a, prediction=a.prediction + left)
    text = say(a, 0, language, top)
    said, last = numbers(text)
    assert base + sum(said) == pytest.approx(a.prediction[0], abs=0.5 * last * (len(said) + 1) + 1e-9)


@pytest.mark.parametrize("language", sorted(PHRASES))
def test_no_cause_is_ever_claimed(language):
    words = " ".join(str(value) for value in vars(PHRASES[language]).values()).lower()
    for cause in ("because", "caus", "due to", "drives", "leads to", "therefore", "因为", "导致", "由于", "所以"):
        assert cause not in words


def test_both_languages_take_the_same_blanks():
    english, chinese = vars(PHRASES["en"]), vars(PHRASES["zh"])
    for name, text in english.items():
        if isinstance(text, str):
            assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", chinese[name])), name
    assert set(english["status"]) == set(chinese["status"]) == set(STATUS) - {"ok"}


def test_hostile_names_stay_on_one_line():
    a = told([[1.0, 2.0]], features=("a\nb\x00", "{who}"), columns=())
    assert "\n" not in say(a) and "\x00" not in say(a) and "{who}" in say(a)


def test_what_rounding_leaves_of_a_sum_is_no_share():
    a = told([[5.0, 0.1, 0.2, -0.3]], base=0.0)
    assert "3 others together for 0.0" in say(a, top=1)  # 0.1 + 0.2 - 0.3 = 5e-17


def test_what_cannot_be_said_is_told():
    with pytest.raises(InputError, match="no language 'de': use en or zh"):
        say(ROW, 0, "de")
    with pytest.raises(InputError, match="there is no row 5: choose from 0 to 0"):
        say(ROW, 5)
    with pytest.raises(InputError, match="name at least one"):
        say(ROW, 0, top=0)
