"""From nothing to a live trace: a person with a browser, unmodified client packages, a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.conftest import Launcher
from tests.support.clients import run_client
from tests.support.model_server import ModelServer, answer, count_tokens

pytestmark = [pytest.mark.browser, pytest.mark.clients]

TOUR = Path(__file__).resolve().parents[1] / "clients" / "scripts" / "tour.py"
CLIENTS = ["langfuse-5.0.4", "langfuse-4.18", "langfuse-3.15"]
QUESTION = "Is it raining in 北京?"
ASKED = count_tokens("Answer briefly.") + count_tokens(QUESTION)
MODEL_OF = {"plain": "gpt-4o", "streamed": "gpt-4o", "streamed-without-usage": "kimi-k2-250711"}


@pytest.fixture
def models() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


def test_from_sign_up_to_live_traces(make_server: Launcher, visitor: Visitor, models: ModelServer) -> None:
    server = make_server().start()
    # By the name people type, which is also what makes the first account an admin's.
    page = visitor.open(f"http://localhost:{server.port}/")
    sign_up(page, visitor)
    key = make_project_and_key(page, visitor)
    traces = page.url.removesuffix("/setup")
    page.evaluate("window.notReloaded = true")
    listing = visitor.open(traces)
    listing.evaluate("window.notReloaded = true")

    shown: list[str] = []
    for client in CLIENTS:
        done = run_client(
            client, TOUR, {**key, "LANGFUSE_BASE_URL": server.url, "MODEL_URL": models.base_url}
        )
        trace_id = json.loads(done.stdout.splitlines()[-1])["trace"]
        shown.append(trace_id)
        expect(listing.locator(f"[data-id='{trace_id}']")).to_be_visible()
        expect(listing.locator(f"[data-id='{trace_id}']")).to_contain_text("assistant")
        if len(shown) == 1:
            expect(page.get_by_text("Your first trace is here")).to_be_visible()
            visitor.picture(page, "first-trace")
        check_detail(visitor, f"{traces}/{trace_id}", client)

    expect(listing.locator("tr[data-id]")).to_have_count(
        2 * len(CLIENTS)
    )  # each sends one with a picture too
    expect(listing.locator("tr[data-id]", has_text="assistant")).to_have_count(len(CLIENTS))
    visitor.picture(listing, "trace-list")
    assert page.evaluate("window.notReloaded") and listing.evaluate("window.notReloaded")


def sign_up(page: Page, visitor: Visitor) -> None:
    """On an empty instance the first visit leads to the first account."""
    expect(page.get_by_role("heading", name="Create the first account")).to_be_visible()
    visitor.picture(page, "sign-up")
    page.get_by_label("Name").fill("Ann Example")
    page.get_by_label("E-mail address").fill("ann@example.org")
    page.get_by_label("Password").fill("correct horse 7 battery")
    page.get_by_role("button", name="Create account").click()


def make_project_and_key(page: Page, visitor: Visitor) -> dict[str, str]:
    """Organization, project and key as the wizard has them; the key as read from the page."""
    page.get_by_label("Name").fill("Acme")
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Name").fill("Chatbot")
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_text("Waiting for the first trace")).to_be_visible()
    page.get_by_role("button", name="Create API key").click()
    secret = page.locator("[data-secret-key]").inner_text()
    public = page.locator("[data-public-key]").inner_text()
    assert secret.startswith("sk-lf-") and public.startswith("pk-lf-")
    visitor.picture(page, "waiting")
    return {"LANGFUSE_PUBLIC_KEY": public, "LANGFUSE_SECRET_KEY": secret}


def check_detail(visitor: Visitor, url: str, client: str) -> None:
    """The page of one trace shows each generation with model, tokens, input and output."""
    page = visitor.open(url)
    expect(page.get_by_role("heading", name="assistant").first).to_be_visible()
    for name, model in MODEL_OF.items():
        page.get_by_role("treeitem", name=name, exact=False).first.click()
        panel = page.locator("[data-panel]")
        expect(panel).to_contain_text(model)
        expect(panel).to_contain_text(QUESTION)
        expect(panel).to_contain_text(answer(model, QUESTION))
        if name != "streamed-without-usage":
            expect(panel).to_contain_text(str(ASKED))
    visitor.picture(page, f"trace-{client}")
    page.close()
