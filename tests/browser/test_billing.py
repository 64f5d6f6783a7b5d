"""Billing in a browser: the page, a change of plan from preview to invoice, settling; light, dark, phone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.test_every_page import look_at
from tests.support.browsing import sign_in
from tests.support.provisioned import ENVIRONMENT, PERSON, PROJECT_ID
from tests.support.server import ROOT, ServerProcess
from tests.support.stripe_server import PRO, SECRET, USAGE, event, fake_stripe, signature

pytestmark = pytest.mark.browser

PAGE = "organization/suite/settings/billing"
# The past of the demo organization, for ours: two invoices and a draft.
BILLED = f"""
from datetime import UTC, datetime
from apps.billing.demo import bill_demo
from apps.organizations.models import Organization
bill_demo(Organization.objects.get(id="suite"), {PROJECT_ID!r}, datetime.now(UTC))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One whose only person owns a billed organization, and runs the instance."""
    with ServerProcess(tmp_path_factory.mktemp("billing") / "data", **ENVIRONMENT, **PERSON) as server:
        command = [sys.executable, "manage.py", "shell", "-c", BILLED]
        subprocess.run(command, cwd=ROOT, env=server.environment(), check=True, capture_output=True)
        yield server


def test_pages(server: ServerProcess, guest: Visitor) -> None:
    page = guest.open(f"{server.url}/")
    sign_in(page, server.url)
    for path in (
        PAGE,
        f"{PAGE}/plan",
        f"{PAGE}/plan?plan=team",
        "instance/billing",
        "instance/billing/organizations/suite",
    ):
        look_at(guest, page, server.url, path)
    page.locator("[data-dialog^=void-]").first.click()
    expect(page.locator("dialog[open]")).to_be_visible()
    guest.picture(page, "void")


def test_changing_the_plan_and_settling(server: ServerProcess, visitor: Visitor) -> None:
    page = visitor.open(f"{server.url}/")
    sign_in(page, server.url, f"/{PAGE}")
    before = page.locator(".billing-figures .figure").nth(1).inner_text()

    page.get_by_role("link", name="Change plan").click()
    page.locator(".billing-plans li", has_text="Team").get_by_role("link", name="See what changes").click()
    told = page.locator("#preview .billing-total dd").inner_text()
    assert told.startswith("$")
    page.get_by_role("button", name="Change to Team").click()
    expect(page.locator(".toast")).to_contain_text("The plan was changed.")
    expect(page.locator(".billing-head .badge")).to_have_text("Team")
    after = page.locator(".billing-figures .figure").nth(1).inner_text()
    # Discount and tax of the demo: 10 % off, 23 % on top.
    assert _cents(after) - _cents(before) == pytest.approx(_cents(told) * 0.9 * 1.23, abs=2)
    visitor.picture(page, "changed")

    with page.expect_download() as download:
        page.get_by_role("link", name="LF-000001 as PDF").click()
    assert download.value.suggested_filename == "LF-000001.pdf"

    page.goto(f"{server.url}/instance/billing")
    page.get_by_role("link", name="Suite").click()
    page.get_by_role("button", name="Mark as paid").click()
    page.locator("dialog[open] input[name=note]").fill("Bank transfer")
    page.locator("dialog[open] .btn-primary").click()
    expect(page.locator("main")).to_contain_text("owes nothing")


def test_buying_at_stripe(tmp_path: Path, visitor: Visitor) -> None:
    with fake_stripe() as stripe:
        keys = {
            "STRIPE_SECRET_KEY": "sk_test_1",
            "STRIPE_WEBHOOK_SECRET": SECRET,
            "STRIPE_PRO_MONTHLY_PRICE_ID": PRO,
            "STRIPE_USAGE_PRICE_ID": USAGE,
            "STRIPE_API_URL": stripe.url,
        }
        visitor.context.route("https://checkout.stripe.com/**", lambda route: route.fulfill(body="Pay here"))
        with ServerProcess(tmp_path / "data", **ENVIRONMENT, **PERSON, **keys) as server:
            page = visitor.open(f"{server.url}/")
            sign_in(page, server.url, f"/{PAGE}/plan?plan=pro")
            visitor.picture(page, "before-stripe")
            page.get_by_role("button", name="Continue to Stripe").click()
            expect(page.locator("body")).to_have_text("Pay here")  # the page's own rules let it go there

            stripe.subscribe("cus_1", start=int(time.time()))
            body = event("evt_1", "checkout.session.completed", {"id": "cs_1", "customer": "cus_1"})
            hook = f"{server.url}/api/billing/stripe/webhook"
            assert httpx.post(hook, content=body, headers={"Stripe-Signature": "t=1,v1=0"}).status_code == 400
            told = httpx.post(hook, content=body, headers={"Stripe-Signature": signature(body)})
            assert told.status_code == 200, told.text
            page.goto(f"{server.url}/{PAGE}")
            expect(page.locator("main")).to_contain_text("Paid through Stripe")
            visitor.picture(page, "paid-through-stripe")


def _cents(text: str) -> int:
    return int(text.removeprefix("$").replace(",", "").replace(".", ""))
