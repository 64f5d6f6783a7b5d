"""Retention in a project's settings: set it, be asked to confirm, be told of the plan; light, dark, phone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Visitor
from tests.browser.test_every_page import LOOKS
from tests.support.browsing import sign_in
from tests.support.provisioned import ENVIRONMENT, PERSON, PROJECT_ID
from tests.support.server import ROOT, ServerProcess

pytestmark = pytest.mark.browser

PAGE = f"project/{PROJECT_ID}/settings"
ON_A_PLAN = f"""
from apps.audit.services import SYSTEM
from apps.organizations.models import Project
from apps.usage import plans
organization = Project.objects.get(id={PROJECT_ID!r}).organization
plans.assign(actor=SYSTEM, organization=organization, plan_id="hobby")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One whose organization has just got a plan that keeps 30 days."""
    with ServerProcess(tmp_path_factory.mktemp("retention") / "data", **ENVIRONMENT, **PERSON) as server:
        command = [sys.executable, "manage.py", "shell", "-c", ON_A_PLAN]
        subprocess.run(command, cwd=ROOT, env=server.environment(), check=True, capture_output=True)
        yield server


@pytest.fixture(params=LOOKS)
def guest(request: pytest.FixtureRequest, browser: Browser, pictures) -> Iterator[Visitor]:
    """Somebody with one of the looks."""
    context = browser.new_context(**LOOKS[request.param])
    visitor = Visitor(context, pictures / request.param)
    yield visitor
    context.close()
    visitor.complaints = [each for each in visitor.complaints if "400" not in each]  # refused on purpose
    assert visitor.complaints == []


def test_setting_it(server: ServerProcess, guest: Visitor) -> None:
    page = guest.open(f"{server.url}/")
    sign_in(page, server.url)
    page.goto(f"{server.url}/{PAGE}")
    card = page.locator("#retention")
    expect(card.locator(".notice-warning")).to_contain_text("30")
    card.scroll_into_view_if_needed()
    guest.picture(page, "retention")
    card.locator("input[name=days]").fill("7")
    card.locator(".btn-primary").click()
    expect(card.locator(".error")).to_have_count(1)
    guest.picture(page, "retention refused")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    card.locator("input[name=confirmed]").check()
    card.locator(".btn-primary").click()
    expect(card.locator("input[name=days]")).to_have_value("7")
    expect(card.locator(".notice-warning")).to_have_count(0)  # keeps less than the plan does
    guest.picture(page, "retention set")
    card.locator("input[name=days]").fill("0")
    card.locator(".btn-primary").click()
    expect(card.locator(".notice-warning")).to_have_count(1)
