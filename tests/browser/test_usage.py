"""Usage and budgets in a browser: the hour that moves by itself, a budget made, passed and told of."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from aiosmtpd.controller import Controller
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.support import otlp
from tests.support.browsing import sign_in
from tests.support.ports import free_port
from tests.support.provisioned import CREDENTIALS, EMAIL, ENVIRONMENT, PERSON
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser

SETTINGS = "/organization/suite/settings"


class Post:
    """A mail server and a receiver of webhooks, and when what came."""

    def __init__(self) -> None:
        self.mails: list[tuple[float, list[str]]] = []
        self.hooks: list[tuple[float, str]] = []
        self.port = 0

    async def handle_DATA(self, server: object, session: object, envelope) -> str:
        """What aiosmtpd calls with a mail."""
        self.mails.append((time.monotonic(), envelope.rcpt_tos))
        return "250 OK"


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    """Both, running."""
    got = Post()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            got.hooks.append((time.monotonic(), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        got.port = http.server_address[1]
        yield got
        http.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, post: Post) -> Iterator[ServerProcess]:
    """One that mails and calls there."""
    mail = Controller(post, hostname="127.0.0.1", port=free_port())
    mail.start()
    environment = {
        "EMAIL_URL": f"smtp://127.0.0.1:{mail.port}",
        "LITEFUSE_OUTGOING_ALLOW": f"127.0.0.1:{post.port}",
    }
    data = tmp_path_factory.mktemp("usage") / "data"
    with ServerProcess(data, **ENVIRONMENT, **PERSON, **environment) as server:
        call(server, tokens=10)
        yield server
    mail.stop()


def call(server: ServerProcess, *, tokens: int, user: str = "ann") -> float:
    """A call of a model that is now; when it was answered."""
    now = time.time_ns()
    attributes = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": "gpt-4o",
        "langfuse.observation.usage_details": f'{{"input": {tokens}}}',
        "user.id": user,
    }
    body = otlp.request({"attributes": attributes, "start": now, "end": now})
    answer = httpx.post(
        f"{server.url}/api/public/otel/v1/traces",
        content=body,
        auth=CREDENTIALS,
        headers={"content-type": "application/x-protobuf"},
    )
    assert answer.status_code == 200, answer.text
    return time.monotonic()


def make_budget(page: Page, post: Post) -> None:
    """A thousand tokens a day for each user, told at 50 and 100 percent."""
    page.locator("[name=name]").fill("Each user, a day")
    expect(page.locator("[name=value]")).to_be_hidden()
    page.locator("[name=scope]").select_option("user")
    expect(page.locator("[name=value]")).to_be_visible()
    page.locator("[name=amount]").fill("1000")
    page.locator("[name=measure]").select_option("tokens")
    page.locator("[name=thresholds]").fill("50, 100")
    page.locator("[name=webhook_url]").fill(f"http://127.0.0.1:{post.port}/hook")


def wait_for(things: list) -> None:
    """Until something is there."""
    for _ in range(300):
        if things:
            return
        time.sleep(0.05)
    raise AssertionError("nothing came")


def test_a_budget_is_made_passed_and_told_of(server: ServerProcess, visitor: Visitor, post: Post):
    page = visitor.open(server.url)
    sign_in(page, server.url, f"{SETTINGS}/budgets")
    visitor.picture(page, "budgets-none")
    page.get_by_role("link", name="New budget").first.click()
    make_budget(page, post)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="Each user, a day")).to_be_visible()

    call(server, tokens=100)
    crossed = call(server, tokens=500)
    wait_for(post.hooks)
    wait_for(post.mails)
    print(f"webhook {post.hooks[0][0] - crossed:.3f} s, mail {post.mails[0][0] - crossed:.3f} s after")
    assert '"percent":50' in post.hooks[0][1] and '"subject":"ann"' in post.hooks[0][1]
    assert post.mails[0][1] == [EMAIL]
    page.reload()
    expect(page.get_by_role("cell", name="50 %")).to_be_visible()
    expect(page.get_by_text("most: ann")).to_be_visible()
    visitor.picture(page, "budgets")
    page.get_by_role("link", name="Each user, a day").first.click()
    expect(page.get_by_text("Webhooks are signed with")).to_be_visible()
    visitor.picture(page, "budget")
    answer = httpx.get(
        f"{server.url}/api/public/budgets/decision", params={"userId": "ann"}, auth=CREDENTIALS
    ).json()
    assert answer["allowed"] and answer["budgets"][0]["spent"] == 610
    page.get_by_role("button", name="Delete").click()
    page.locator("dialog[open]").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No budget yet")).to_be_visible()


def test_the_hour_that_is_not_over_moves_by_itself(server: ServerProcess, visitor: Visitor):
    page = visitor.open(server.url)
    sign_in(page, server.url, f"{SETTINGS}/usage")
    hour = page.locator(".usage-now")
    expect(hour).to_contain_text("tokens")
    before = hour.inner_text()
    call(server, tokens=12_345)
    expect(hour).not_to_have_text(before)
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1


def test_figures_follow_what_was_counted(server: ServerProcess, visitor: Visitor):
    page = visitor.open(server.url)
    sign_in(page, server.url, f"{SETTINGS}/usage")
    expect(page.locator("html[data-socket=open]")).to_be_attached()
    page.evaluate("document.querySelectorAll('#usage-figures b').forEach((b) => (b.textContent = 'old'))")
    told = "new CustomEvent('litefuse:traces', {detail: {traces: [{id: 'counted'}], missed: false}})"
    page.evaluate(f"document.dispatchEvent({told})")
    expect(page.locator("#usage-figures b", has_text="old")).to_have_count(0)
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1


def test_filters_stand_in_the_address(server: ServerProcess, visitor: Visitor):
    page = visitor.open(server.url)
    sign_in(page, server.url)
    page.goto(f"{server.url}{SETTINGS}/usage?environment=staging&show=cost")
    expect(page.locator(".chip", has_text="staging")).to_be_visible()
    page.get_by_role("button", name="Remove this filter").click()
    expect(page.locator(".chip", has_text="staging")).to_have_count(0)
    assert "environment" not in page.url and "show=cost" in page.url
