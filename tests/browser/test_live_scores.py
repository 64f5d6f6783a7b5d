"""A trace that stays open shows what is judged of it, without reloading."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.support.browsing import sign_in
from tests.support.provisioned import CREDENTIALS, ENVIRONMENT, PERSON, PROJECT_ID
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("scores") / "data", **ENVIRONMENT, **PERSON) as server:
        yield server


def test_a_new_score_appears_on_the_open_page(server: ServerProcess, visitor: Visitor):
    moment = "2026-08-01T12:00:00Z"
    bodies = {
        "trace-create": {"id": "judged", "name": "ask", "timestamp": moment},
        "span-create": {"id": "step", "traceId": "judged", "name": "step", "startTime": moment},
    }
    batch = [{"id": type, "type": type, "timestamp": moment, "body": body} for type, body in bodies.items()]
    answer = httpx.post(f"{server.url}/api/public/ingestion", json={"batch": batch}, auth=CREDENTIALS)
    assert answer.status_code == 207
    page = visitor.open(f"{server.url}/auth/sign-in")
    sign_in(page, server.url, f"/project/{PROJECT_ID}/traces/judged")
    expect(page.locator("html[data-socket=open]")).to_be_attached()
    expect(page.locator(".badges")).to_have_count(0)
    score = {"traceId": "judged", "name": "quality", "value": 0.75, "comment": "fine"}
    assert httpx.post(f"{server.url}/api/public/scores", json=score, auth=CREDENTIALS).status_code == 200
    expect(page.locator(".badges .chip")).to_contain_text("quality 0.75")
    expect(page.locator(".head-figures")).to_contain_text("1 score")
    page.locator('[data-tab-link="scores"]').click()
    expect(page.locator(".judgement-comment")).to_contain_text("fine")
    # Of an observation too, while its panel is open.
    page.locator(".t-row .t-name", has_text="step").click()
    expect(page.locator(".panel-head")).to_contain_text("step")
    score |= {"observationId": "step", "name": "tone", "value": "warm"}
    assert httpx.post(f"{server.url}/api/public/scores", json=score, auth=CREDENTIALS).status_code == 200
    expect(page.locator(".badges .chip")).to_contain_text("tone warm")
