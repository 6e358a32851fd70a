"""`ascribe plot FILE` and the words of an answer, from the command line."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import pytest

from ascribe import cli
from ascribe.bundle.answers import write_answer
from tests.report.answers import OF, table


@pytest.fixture
def ascribe(monkeypatch, capsys):
    """The command as it is typed: exit code, and what it wrote on both streams."""

    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["ascribe", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        told = capsys.readouterr()
        return int(stopped.value.code or 0), " ".join((told.out + told.err).split())

    return run


@pytest.mark.parametrize("kind", sorted(OF))
def test_an_answer_file_alone_is_drawn(kind, ascribe, tmp_path):
    file = write_answer(OF[kind](), tmp_path / "a.parquet")
    code, told = ascribe("plot", file, "--kind", kind, "-o", tmp_path / "p.html")
    assert (code, told.startswith("-> ")) == (0, True), told
    assert (tmp_path / "p.html").read_text().startswith("<!doctype html>")


def test_the_kind_follows_from_the_rows(ascribe, tmp_path):
    for name, word in (("table", "waterfall"), ("image", "overlay"), ("text", 'class="word"')):
        make = {"table": table}.get(name) or OF[name]
        write_answer(make(), tmp_path / f"{name}.parquet")
        assert ascribe("plot", tmp_path / f"{name}.parquet", "-o", tmp_path / f"{name}.html")[0] == 0
        assert word in (tmp_path / f"{name}.html").read_text()


def test_a_page_has_its_words(ascribe, tmp_path):
    file = write_answer(replace(table(), labels=tuple(f"node-{k}" for k in range(40))), tmp_path / "a.parquet")
    assert ascribe("plot", file, "--rows", "4", "--say", "zh", "-o", tmp_path / "p.html")[0] == 0
    page = (tmp_path / "p.html").read_text()
    assert 'lang="zh"' in page and "node-4 的功率为" in page
    assert ascribe("plot", file, "--kind", "bar", "--say", "en", "-o", tmp_path / "p.html")[0] == 0
    assert "Rows answered: 40." in (tmp_path / "p.html").read_text()


MISUSE = [
    ("--kind image", "image is drawn of image rows"),
    ("--kind cake", "no kind 'cake' of picture"),
    ("--rows 99", "'99' is no row: the file has rows 0 to 39"),
    ("--rows ²", "'²' is no row: the file has rows 0 to 39"),
    ("--say de", "no language 'de': use en or zh"),
    ("--kind dependence --feature nope", "no feature 'nope': this answer has"),
    ("--kind heatmap --order size", "order is similarity or time"),
    ("--kind bar --order size", "order is similarity or time"),
    ("--method lime --budget 5 --target zzz", "leave --method, --budget, --target out, or give a bundle and its rows"),
    ("--max-latency-ms 5 --name node", "leave --max-latency-ms, --name out"),
]


@pytest.mark.parametrize(("words", "line"), MISUSE, ids=[words.replace(" ", "_") for words, _ in MISUSE])
def test_misuse_is_one_line(words, line, ascribe, tmp_path):
    file = write_answer(table(), tmp_path / "a.parquet")
    code, told = ascribe("plot", file, *words.split(), "-o", tmp_path / "p.png")
    assert code == 2 and line in told, told
    assert len(re.findall("ascribe: ", told)) == 1
    assert not (tmp_path / "p.png").exists()


def test_what_is_no_answer_is_told(ascribe, tmp_path):
    assert "there is no file" in ascribe("plot", tmp_path / "none.parquet", "-o", tmp_path / "p.png")[1]
    assert "is a bundle: draw an answer" in ascribe("plot", tmp_path, "-o", tmp_path / "p.png")[1]
    file = write_answer(table(), tmp_path / "a.parquet")
    assert "say where the picture goes" in ascribe("plot", file)[1]
    assert "end it in .png, .svg, .html" in ascribe("plot", file, "-o", tmp_path / "p.gif")[1]
    assert "-o OUT.parquet, or --say" in ascribe("explain", tmp_path, file)[1]
