"""A real browser, and a tab that remembers all that went wrong in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
PICTURES = Path(os.environ.get("ASCRIBE_PICTURES", HERE / "pictures"))
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PATIENCE_MS = 90_000  # a machine that runs all tests at once may be slow
SERIOUS = ("serious", "critical")
VIOLATED = """document.addEventListener("securitypolicyviolation",
  (event) => console.error("policy violated: " + event.violatedDirective + " " + event.blockedURI))"""


def chromium() -> str:
    """The path of Chromium, best without a desktop's frame, a third of the time; skips where there is none."""
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium on PATH: apt-get install chromium-headless-shell (.ci/run does it where it may)")


@contextmanager
def browsing() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"], timeout=PATIENCE_MS)
        yield browser
        browser.close()


class Tab:
    """A page of a browser with its faults: what the console called errors, what threw, requests elsewhere."""

    def __init__(self, browser: Browser, at: str, size: dict[str, int], **context: Any) -> None:
        self.at, self.faults, self.elsewhere = at, [], []
        self.bytes = 0
        self.context = browser.new_context(viewport=size, **context)
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.add_init_script(VIOLATED)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda said: said.type == "error" and self.faults.append(said.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda asked: self._asked(asked.url))

    def _asked(self, url: str) -> None:
        if not url.startswith((self.at, "data:", "blob:")):
            self.elsewhere.append(url)

    def open(self, hash_: str = "") -> Page:
        self.page.goto(f"{self.at}/{hash_}")
        return self.page

    def settle(self) -> None:
        """Until what is there is drawn: charts draw with the next frame, and once more at another width."""
        self.page.evaluate("""async () => {
          for (let k = 0; k < 4; k++) await new Promise((done) => requestAnimationFrame(done));
        }""")

    def picture(self, name: str) -> None:
        """The whole page, kept for who looks."""
        self.settle()
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    def check(self) -> None:
        """Nothing went wrong so far, and nothing was asked of anybody else."""
        assert self.faults == []
        assert self.elsewhere == []

    def check_accessible(self) -> None:
        """axe-core finds nothing serious or critical; it is put in past the page's policy, by the debugger."""
        if not AXE.is_file():
            assert not shutil.which("npm"), "axe-core is not installed: `make test` does it, or `npm ci` in tests/page"
            pytest.skip("no npm, so no axe-core: accessibility was not checked")
        self.page.evaluate(AXE.read_text() + "; 0")
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        bad = [
            (one["id"], one["impact"], [node["html"][:160] for node in one["nodes"][:3]])
            for one in found
            if one["impact"] in SERIOUS
        ]
        assert bad == []

    def check_fits(self) -> None:
        """The page does not scroll sideways, and no text of a chart is cut off by the chart's edge."""
        self.settle()
        wide = self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1], f"{wide[0]} px wide in {wide[1]} px"
        cut = self.page.evaluate("""() => [...document.querySelectorAll(".chart svg text")].filter((text) => {
          const box = text.getBoundingClientRect(), edge = text.closest(".chart").getBoundingClientRect();
          return box.width && (box.left < edge.left - 1 || box.right > edge.right + 1 || box.top < edge.top - 2
            || box.bottom > edge.bottom + 2);
        }).map((text) => text.textContent)""")
        assert cut == []

    def close(self) -> None:
        self.context.close()
