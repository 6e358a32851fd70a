"""The view Explain as a test opens it, asks it and waits for its answer."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from .browser import WIDE


def opened(tab: Any, at: str, size: dict[str, int] = WIDE, theme: str = "light", **context: Any) -> Any:
    one = tab(at, size, **context)
    one.context.add_init_script(f"localStorage.setItem('ascribe.theme', '{theme}')")
    one.open("#/explain")
    expect(one.page.locator(".asked option").first).to_be_attached()  # what the model offers is known
    expect(one.page.get_by_role("button", name="Explain", exact=True)).to_be_enabled()
    return one


def explain(page: Page, text: str) -> None:
    page.get_by_label("Paste rows").fill(text)
    page.get_by_role("button", name="Explain", exact=True).click()


def answered(page: Page, text: str) -> None:
    explain(page, text)
    expect(page.locator(".results")).to_be_visible()
    expect(page.locator(".results .chart svg").first).to_be_visible()
