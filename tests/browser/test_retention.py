"""Retention in a project's settings: set it, be asked to confirm, be told of the plan; light, dark, phone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
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
    assert [each for each in guest.complaints if "400" not in each] == []
    guest.complaints.clear()  # refused on purpose
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
