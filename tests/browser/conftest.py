"""A real Chromium that notes whatever a page complains about."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support import needs

PATIENCE = 20_000  # milliseconds; a busy machine is not a failure
expect.set_options(timeout=PATIENCE)
LOOKS = {
    "wide-light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light", "locale": "en-GB"},
    "wide-dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark", "locale": "en-GB"},
    "phone-light-zh": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "locale": "zh-CN"},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium: Playwright brings none of its own.

    Not of the session: as long as it lives its event loop runs, and no asynchronous test could.
    """
    path = needs.chromium()
    with sync_playwright() as playwright:
        # Its sandbox refuses root, and small /dev/shm makes it crash.
        options = ["--no-sandbox", "--disable-dev-shm-usage"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


class Visitor:
    """A person with a browser window: pages of one session, what they complained about, pictures."""

    def __init__(self, context: BrowserContext, pictures: Path) -> None:
        self.context = context
        self.pictures = pictures
        self.complaints: list[str] = []
        context.set_default_timeout(PATIENCE)
        context.on("page", self._listen)
        context.on("console", lambda message: self._note(message.type, message.text, message.page))
        context.on("weberror", lambda error: self._note("error", str(error.error), error.page))

    def _listen(self, page: Page) -> None:
        page.on("response", lambda answer: self._answered(answer.status, answer.url))

    def _note(self, kind: str, text: str, page: Page | None) -> None:
        # Content security violations are console errors too.
        if kind in ("error", "warning"):
            self.complaints.append(f"{page.url if page else '?'}: {kind}: {text}")

    def _answered(self, status: int, url: str) -> None:
        if status >= 500:
            self.complaints.append(f"{url}: answered {status}")

    def open(self, url: str) -> Page:
        """A new tab at `url`."""
        page = self.context.new_page()
        page.goto(url)
        return page

    def picture(self, page: Page, name: str) -> None:
        """Keep what the page looks like, for a person to look at."""
        self.pictures.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=self.pictures / f"{re.sub(r'[^a-z0-9-]+', '-', name.lower())}.png")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures go: LITEFUSE_TEST_PICTURES when set, else a folder that pytest throws away."""
    return Path(os.environ.get("LITEFUSE_TEST_PICTURES") or tmp_path / "pictures")


@pytest.fixture
def visitor(browser: Browser, pictures: Path) -> Iterator[Visitor]:
    """A fresh session; the test fails when a page of it complained."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    visitor = Visitor(context, pictures)
    yield visitor
    context.close()
    assert visitor.complaints == []


@pytest.fixture(params=LOOKS)
def guest(request: pytest.FixtureRequest, browser: Browser, pictures: Path) -> Iterator[Visitor]:
    """A fresh session with one of the looks; the test fails when a page of it complained."""
    context = browser.new_context(**LOOKS[request.param])
    visitor = Visitor(context, pictures / request.param)
    yield visitor
    context.close()
    assert visitor.complaints == []
