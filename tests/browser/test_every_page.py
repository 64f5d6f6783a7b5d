"""Every page as people meet it: light and dark, wide and narrow, English and Chinese, no complaint."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Visitor
from tests.support import otlp
from tests.support.browsing import sign_in
from tests.support.provisioned import CREDENTIALS, ENVIRONMENT, PERSON, PROJECT_ID
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
STRANGERS_PAGES = ["auth/sign-in", "auth/sign-up", "auth/reset-password", "docs/api"]
PAGES = [
    "",
    "setup",
    "account/settings",
    "auth/change-password",
    "organization/suite/setup",
    "organization/suite/settings",
    "organization/suite/settings/members",
    "organization/suite/settings/api-keys",
    "organization/suite/settings/usage",
    "organization/suite/settings/usage?show=cost&by=model",
    "organization/suite/settings/budgets",
    "organization/suite/settings/budgets/new",
    "organization/suite/settings/billing",
    "organization/suite/settings/billing/plan",
    "instance/plans",
    "instance/plans/hobby",
    "instance/organizations/suite/plan",
    "instance/billing",
    "instance/billing/organizations/suite",
    f"project/{PROJECT_ID}/settings",
    f"project/{PROJECT_ID}/settings/api-keys",
    f"project/{PROJECT_ID}/settings/models",
    f"project/{PROJECT_ID}/settings/models?q=no-such-model",
    f"project/{PROJECT_ID}/settings/models/new",
    f"project/{PROJECT_ID}/settings/models/test?name=openai/gpt-4o-2024-08-06",
    f"project/{PROJECT_ID}/settings/reprice?from=",
    f"project/{PROJECT_ID}/settings/wire",
    f"project/{PROJECT_ID}/settings/wire/remap?last=1h",
    f"project/{PROJECT_ID}/traces",
    f"project/{PROJECT_ID}/traces?level=ERROR",
    f"project/{PROJECT_ID}/traces/setup",
    f"project/{PROJECT_ID}/traces/{TRACE_ID}",
]
MISSING = ["nowhere", f"project/{PROJECT_ID}/traces/no-such-trace", "project/another/traces"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One with a person, a project and a trace."""
    with ServerProcess(tmp_path_factory.mktemp("pages") / "data", **ENVIRONMENT, **PERSON) as server:
        trace_id, root = bytes.fromhex(TRACE_ID), b"\1" * 8
        generation = {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "gpt-4o",
            "langfuse.observation.input": '[{"role": "user", "content": "Is it raining?"}]',
            "langfuse.observation.output": '{"role": "assistant", "content": "No."}',
            "langfuse.observation.usage_details": '{"input": 12, "output": 3}',
        }
        body = otlp.request(
            {"trace_id": trace_id, "span_id": root, "name": "assistant"},
            {"trace_id": trace_id, "parent": root, "name": "answer", "attributes": generation},
            {"trace_id": trace_id, "parent": root, "name": "look-up", "status": (2, "timed out")},
        )
        answer = httpx.post(
            f"{server.url}/api/public/otel/v1/traces",
            content=body,
            auth=CREDENTIALS,
            headers={"content-type": "application/x-protobuf"},
        )
        assert answer.status_code == 200, answer.text
        yield server


def look_at(visitor: Visitor, page: Page, url: str, path: str, status: int = 200) -> None:
    """Open a page: it answers, and is not wider than the window."""
    answer = page.goto(f"{url}/{path}")
    assert answer is not None and answer.status == status, path
    visitor.picture(page, path or "home")
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0, f"{path} is {wider} px wider than the window"


def test_pages(server: ServerProcess, guest: Visitor) -> None:
    page = guest.open(f"{server.url}/")
    for path in STRANGERS_PAGES:
        look_at(guest, page, server.url, path)
    sign_in(page, server.url)
    for path in PAGES:
        look_at(guest, page, server.url, path)


def test_what_is_not_there(server: ServerProcess, guest: Visitor) -> None:
    page = guest.open(f"{server.url}/")
    sign_in(page, server.url)
    for path in MISSING:
        look_at(guest, page, server.url, path, status=404)
    # Chromium itself notes each 404 of a document.
    guest.complaints = [note for note in guest.complaints if "status of 404" not in note]
