"""What a person does in a browser before a test of a page begins."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.support.provisioned import EMAIL, PASSWORD


def sign_in(page: Page, url: str, path: str = "/") -> None:
    """With the account made at start (provisioned.PERSON), landing on `path`."""
    page.goto(f"{url}/auth/sign-in?next={path}")
    page.locator("input[type=email]").fill(EMAIL)
    page.locator("input[type=password]").fill(PASSWORD)
    page.locator("form[method=post] .btn-primary").click()
    page.wait_for_url(lambda address: "/auth/" not in address)
