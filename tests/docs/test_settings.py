"""The page of settings says something of every one."""

from __future__ import annotations

import runpy

import pytest

from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.settings import Settings
from tests.docs.blocks import ROOT

MADE = runpy.run_path(str(ROOT / "docs" / "site" / "settings_page.py"))


@pytest.mark.parametrize("kind", [Settings, PartySettings])
def test_every_setting_is_told_of_once(kind):
    named = [name for names, _ in MADE["told"](kind) for name in names]
    assert sorted(named) == sorted(kind.model_fields), "say it in the docstring of the class"


def test_the_page_has_variables_with_defaults():
    page = MADE["page"]()
    assert "| `ASCRIBE_MAX_BODY_BYTES` | 16 Mi | of the body, also inflated |" in page
    assert "| `ASCRIBE_PARTY_FORM` | bitmap | of routes" in page
    assert "| `OTEL_TRACES_EXPORTER` | none |" in page
