"""Files of labels and of words, and what is said of those that are none."""

from __future__ import annotations

import pytest

from ascribe.core.errors import InputError
from ascribe.train.adopted.vocabulary import lines, words


def test_lines_that_hold_something(tmp_path):
    file = tmp_path / "labels.txt"
    file.write_bytes("cat\r\n\r\n  \ndog of a kind\nÜ\n".encode())
    assert lines(file) == ("cat", "dog of a kind", "Ü")
    file.write_bytes("\ufeffÜ\ncat\n".encode())  # as Windows' editors begin a file
    assert lines(file) == ("Ü", "cat")


def test_words_in_order_or_by_number(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("the\na\nfilm\n")
    assert words(file) == ("the", "a", "film")
    file.write_text("film 2\nthe\t0\na  1\n")
    assert words(file) == ("the", "a", "film")
    file.write_text("the 0\na\n")  # not all have a number: these are words with blanks
    assert words(file) == ("the 0", "a")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"the 0\nfilm 2\n", "must run from 0 to 1, each once"),
        (b"the 0\nfilm 0\n", "must run from 0 to 1, each once"),
        (b" \n\n", "is empty: write one a line"),
        (b"\xff\xfe\x00", "is no text"),
        (None, "there is no file"),
    ],
    ids=["gap", "twice", "empty", "binary", "missing"],
)
def test_what_is_no_vocabulary(tmp_path, raw, message):
    file = tmp_path / "words.txt"
    if raw is not None:
        file.write_bytes(raw)
    with pytest.raises(InputError, match=message):
        words(file)


def test_a_folder_is_no_text(tmp_path):
    with pytest.raises(InputError, match="is no text"):
        lines(tmp_path)
