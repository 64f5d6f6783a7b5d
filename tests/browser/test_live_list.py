"""The list of traces in a browser while traces arrive: nothing missed, nothing doubled, nothing moves under
the hand."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.support import otlp
from tests.support.browsing import sign_in
from tests.support.provisioned import CREDENTIALS, ENVIRONMENT, PERSON, PROJECT_ID
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser

ROWS = "#trace-rows tr"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("live") / "data", **ENVIRONMENT, **PERSON) as server:
        yield server


@pytest.fixture
def page(server: ServerProcess, visitor: Visitor) -> Page:
    """The list, listening."""
    page = visitor.open(f"{server.url}/auth/sign-in")
    sign_in(page, server.url, f"/project/{PROJECT_ID}/traces")
    expect(page.locator("html[data-socket=open]")).to_be_attached()
    page.mouse.move(2, 2)
    return page


def send(server: ServerProcess, name: str = "step", *, trace: str = "", running: bool = False) -> str:
    """Store a trace of one span, or a span of a trace whose root is still to come; returns the trace's id."""
    trace = trace or secrets.token_hex(16)
    span = {"trace_id": bytes.fromhex(trace), "span_id": secrets.token_bytes(8), "name": name}
    span |= {"start": time.time_ns() - 50_000_000, "end": time.time_ns()}
    if running:
        span["parent"] = secrets.token_bytes(8)
    answer = httpx.post(
        f"{server.url}/api/public/otel/v1/traces",
        content=otlp.request(span),
        auth=CREDENTIALS,
        headers={"content-type": "application/x-protobuf"},
    )
    assert answer.status_code == 200, answer.text
    return trace


def shown(page: Page) -> list[str]:
    """Ids of the rows, from the top."""
    ids: list[str] = page.locator(ROWS).evaluate_all("rows => rows.map(row => row.dataset.id)")
    return ids


def test_an_empty_list_fills_by_itself(page: Page, server: ServerProcess) -> None:
    expect(page.get_by_text("Waiting for the first trace")).to_be_visible()
    page.evaluate("window.notReloaded = true")
    first = send(server, "hello")
    expect(page.locator(f"tr[data-id='{first}']")).to_contain_text("hello")
    expect(page.locator("[data-total]")).to_have_text("1")
    assert page.evaluate("window.notReloaded")


def test_rows_come_in_order_and_once(page: Page, server: ServerProcess) -> None:
    sent = [send(server) for _ in range(30)]
    expect(page.locator(f"tr[data-id='{sent[-1]}']")).to_be_attached()
    for trace in sent:
        expect(page.locator(f"tr[data-id='{trace}']")).to_have_count(1)
    assert [id for id in shown(page) if id in sent] == sent[::-1]


def test_nothing_moves_while_the_hand_is_over_a_row(page: Page, server: ServerProcess) -> None:
    newest = send(server)
    page.locator(f"tr[data-id='{newest}']").hover()
    before = shown(page)
    sent = [send(server) for _ in range(3)]
    expect(page.locator("[data-pill]")).to_contain_text("3 new")
    assert shown(page) == before
    page.locator("[data-pill]").click()
    expect(page.locator("[data-pill]")).to_be_hidden()
    assert shown(page)[:3] == sent[::-1]


def test_a_running_trace_ends_in_place(page: Page, server: ServerProcess) -> None:
    trace = send(server, "tool", running=True)
    row = page.locator(f"tr[data-id='{trace}']")
    expect(row).to_contain_text("running")
    row.hover()
    send(server, "agent", trace=trace)
    expect(row).to_contain_text("agent")
    expect(row).not_to_contain_text("running")
    expect(row).to_have_count(1)


def test_filters_hold_for_what_arrives(page: Page, server: ServerProcess) -> None:
    send(server, "wanted")
    page.locator("#trace-search").fill("name:wanted")
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_contain_text("wanted")
    expect(page.locator("html[data-socket=open]")).to_be_attached()
    other, wanted = send(server, "other"), send(server, "wanted")
    expect(page.locator(f"tr[data-id='{wanted}']")).to_be_attached()
    expect(page.locator(f"tr[data-id='{other}']")).to_have_count(0)
    page.go_back()
    expect(page.locator(f"tr[data-id='{other}']")).to_be_attached()


def test_keys_and_the_switch(page: Page, server: ServerProcess) -> None:
    newest = send(server)
    expect(page.locator(f"tr[data-id='{newest}']")).to_be_attached()
    page.keyboard.press("/")
    expect(page.locator("#trace-search")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("l")
    expect(page.locator("[data-live-switch]")).not_to_be_checked()
    missed = send(server)
    page.keyboard.press("l")  # on again: what was missed is fetched
    expect(page.locator(f"tr[data-id='{missed}']")).to_be_attached()
    page.keyboard.press("j")
    expect(page.locator(f"tr[data-id='{missed}'] .trace-link")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/traces/{missed}**")


def test_a_stretch_of_the_strip_can_be_dragged(page: Page, server: ServerProcess) -> None:
    send(server)
    expect(page.locator(".strip-bars")).to_be_visible()
    box = page.locator(".strip-bars").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 10)
    expect(page.locator(".brush-label")).to_contain_text("% error")
    page.mouse.up()
    page.wait_for_url("**from=*to=*")
    expect(page.locator("#time-menu summary")).to_contain_text("–")


def test_the_list_catches_up_after_the_server_was_away(
    server: ServerProcess, page: Page, visitor: Visitor
) -> None:
    server.stop()
    expect(page.locator("html[data-socket=closed]")).to_be_attached()
    server.start()
    missed = send(server)  # most likely before the socket is open again
    expect(page.locator(f"tr[data-id='{missed}']")).to_be_attached(timeout=30_000)
    visitor.complaints.clear()  # Chromium's own words about a server that is not there
