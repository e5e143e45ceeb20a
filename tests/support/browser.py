"""Debian's Chromium, driven by Playwright; what a page says on its console is an error of a test."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from support.front_door import ROOT

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
AXE = ROOT / "tests/browser/node_modules/axe-core/axe.min.js"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """CI has it; elsewhere tests without it are skipped.

    For a module, not longer: while Playwright's own event loop runs, no other test can have one.
    """
    if not Path(CHROMIUM).exists():
        missing = "there is no Chromium: apt-get install chromium"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield chromium
        chromium.close()


@contextmanager
def tab(browser: Browser, url: str, *, said: list[str] | None = None, **options: Any) -> Iterator[Page]:
    """A page in a context of its own. Whatever it says on its console, or raises, fails the test in the end."""
    heard: list[str] = [] if said is None else said
    context = browser.new_context(base_url=url, **{"viewport": DESKTOP, **options})
    page = context.new_page()
    page.on("console", lambda message: heard.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    try:
        yield page
    finally:
        context.close()
    if said is None:
        assert heard == []


def findings(page: Page) -> list[str]:
    """What axe finds that is serious or worse."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")
    return [
        f"{one['id']}: {one['nodes'][0]['target']} {one['nodes'][0]['failureSummary']}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
