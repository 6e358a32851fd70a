"""Labels on the command line."""

from __future__ import annotations

import pytest

from ascribe.cli.options import labelled
from ascribe.core.errors import InputError


def test_labels_are_pairs_and_a_value_may_be_anything():
    assert labelled(None) == labelled([]) == {}
    assert labelled(["cpu=epyc", "note=a=b", "empty="]) == {"cpu": "epyc", "note": "a=b", "empty": ""}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cpu"], "a label is key=value, not 'cpu'"),
        (["=x"], "a label is key=value, not '=x'"),
        (["a=1", "a=2"], "give each label once"),
    ],
)
def test_what_is_no_label_is_said(words, said):
    with pytest.raises(InputError, match=said):
        labelled(words)
