"""The page of one trace in a real browser: keys, search, timeline, links, growth, hostile names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.support import otlp
from tests.support.browsing import sign_in
from tests.support.provisioned import CREDENTIALS, ENVIRONMENT, PERSON, PROJECT_ID
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=\"document.title='broken'\">\u202e"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a person and a project."""
    with ServerProcess(tmp_path_factory.mktemp("trace") / "data", **ENVIRONMENT, **PERSON) as server:
        yield server


@pytest.fixture
def page(server: ServerProcess, visitor: Visitor) -> Page:
    """A tab of somebody signed in."""
    page = visitor.open(f"{server.url}/auth/sign-in")
    sign_in(page, server.url)
    return page


def send(server: ServerProcess, *spans: dict[str, Any]) -> None:
    answer = httpx.post(
        f"{server.url}/api/public/otel/v1/traces",
        content=otlp.request(*spans),
        auth=CREDENTIALS,
        headers={"content-type": "application/x-protobuf"},
    )
    assert answer.status_code == 200, answer.text


def named(trace: int, span: int, name: str, parent: int = 0, **attributes: str) -> dict[str, Any]:
    """A span by numbers; `kind` and others become Langfuse attributes."""
    now = time.time_ns()
    found = {
        "start": now,
        "end": now + 1_500_000_000,
        "trace_id": trace.to_bytes(16, "big"),
        "span_id": span.to_bytes(8, "big"),
        "name": name,
        "attributes": {f"langfuse.observation.{key}": value for key, value in attributes.items()},
    }
    return found | ({"parent": parent.to_bytes(8, "big")} if parent else {})


def address(server: ServerProcess, trace: int, query: str = "") -> str:
    return f"{server.url}/project/{PROJECT_ID}/traces/{trace:032x}{query}"


def selected(page: Page) -> Any:
    return page.locator(".t-row[aria-selected=true] .t-name")


def test_keys_search_and_links(server: ServerProcess, page: Page) -> None:
    send(
        server,
        named(1, 1, "agent", type="agent", input="the question", output="the answer"),
        named(1, 2, "plan", 1, type="generation", input='[{"role": "user", "content": "what now?"}]'),
        named(1, 3, "gather", 1),
        named(1, 4, "search", 3, type="tool", input="needle"),
        named(1, 5, "finish", 1, type="generation"),
    )
    page.goto(address(server, 1))
    rows, panel = page.locator(".t-row"), page.locator("[data-panel]")
    expect(rows).to_have_count(5)
    expect(panel).to_contain_text("the question")

    for name in ("agent", "plan"):
        page.keyboard.press("j")
        expect(selected(page)).to_have_text(name)
    expect(panel).to_contain_text("what now?")
    assert "observation=0000000000000002" in page.url
    page.keyboard.press("j")
    page.keyboard.press("ArrowLeft")
    expect(rows).to_have_count(4)
    page.keyboard.press("ArrowRight")
    expect(rows).to_have_count(5)

    page.keyboard.press("f")
    page.keyboard.type("sear")
    expect(rows).to_have_count(3)  # the match and what it hangs under
    page.keyboard.press("Enter")
    expect(selected(page)).to_have_text("search")
    expect(panel).to_contain_text("needle")
    page.keyboard.press("Escape")
    expect(rows).to_have_count(5)

    rows.filter(has_text="finish").click()
    page.go_back()
    expect(selected(page)).to_have_text("search")
    page.locator("[data-tab-link=metadata]").click()
    expect(panel).to_contain_text("Observation id")
    page.locator("[data-set-view=timeline]").click()
    page.reload()
    expect(page.locator("[data-trace]")).to_have_attribute("data-view", "timeline")
    expect(panel).to_contain_text("Observation id")
    expect(selected(page)).to_have_text("search")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()  # the timeline has the room


def test_it_grows_while_spans_arrive(server: ServerProcess, page: Page) -> None:
    send(server, named(2, 2, "first step", 1), named(2, 3, "inside", 2))
    page.goto(address(server, 2))
    expect(page.locator(".trace-head")).to_contain_text("running")
    page.locator(".t-row", has_text="inside").click()
    page.locator(".t-row", has_text="first step").locator(".t-fold").click()
    expect(page.locator(".t-row")).to_have_count(1)
    expect(page.locator("html")).to_have_attribute("data-socket", "open")
    send(server, named(2, 4, "second step", 1))
    expect(page.locator(".t-row")).to_have_count(2)  # what was folded stays folded
    send(server, named(2, 1, "the root"))
    expect(page.locator(".t-row")).to_have_count(3)
    expect(page.locator(".trace-head h1")).to_have_text("the root")
    expect(page.locator(".trace-head")).not_to_contain_text("running")
    expect(page.locator(".panel-head h2")).to_have_text("inside")


def test_names_and_content_are_only_text(server: ServerProcess, page: Page) -> None:
    chat = '[{"role": "user", "content": "<img src=x onerror=\\"document.title=1\\"><b>bold</b>"}]'
    send(
        server,
        named(3, 1, HOSTILE, input=chat, output=HOSTILE),
        named(3, 2, HOSTILE, 1, level="ERROR", status_message=HOSTILE),
    )
    for query in ("", f"?observation={1:016x}", f"?observation={2:016x}&view=timeline", "?tab=json"):
        page.goto(address(server, 3, query))
        expect(page.locator(".t-row")).to_have_count(2)
        assert page.locator("main img, main b:has-text('bold')").count() == 0
        assert "broken" not in page.title().split(" ")
        assert "\u202e" not in page.locator("main").inner_text()


def test_thousands_of_rows_are_drawn_as_they_come_into_sight(server: ServerProcess, page: Page) -> None:
    steps = [named(4, n, f"step {n}", n // 10 or 1) for n in range(2, 2001)]
    send(server, named(4, 1, "crawl"), *steps)
    page.goto(address(server, 4, f"?observation={2000:016x}"))
    expect(selected(page)).to_be_in_viewport()
    assert page.locator(".t-row").count() < 100
    page.locator("[data-rows]").evaluate("box => { box.scrollTop = 0 }")
    expect(page.locator(".t-row", has_text="crawl")).to_be_in_viewport()


def test_on_a_phone_the_panel_takes_the_screen_and_gives_it_back(server: ServerProcess, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    send(server, named(5, 1, "agent", input="the question"), named(5, 2, "step", 1, input="inside the step"))
    page.goto(address(server, 5))
    expect(page.locator("[data-panel]")).to_be_hidden()
    page.locator(".t-row", has_text="step").click()
    expect(page.locator("[data-panel]")).to_contain_text("inside the step")
    expect(page.locator("[data-rows]")).to_be_hidden()
    page.locator(".panel-bar [data-close-panel]").click()
    expect(page.locator("[data-rows]")).to_be_visible()
    page.get_by_role("link", name="Input and output").click()
    expect(page.locator("[data-panel]")).to_contain_text("the question")
    page.go_back()
    expect(page.locator("[data-rows]")).to_be_visible()


def test_infrastructure_is_one_row_until_opened(server: ServerProcess, page: Page, visitor: Visitor) -> None:
    def plumbing(span: int, name: str, parent: int = 0, **more: Any) -> dict[str, Any]:
        return named(90, span, name, parent) | {"attributes": {"http.request.method": "GET"}} | more

    entry = named(90, 3, "assistant", 2, type="agent", input="question", output="answer")
    entry["attributes"]["gen_ai.is_entry"] = True
    send(
        server,
        plumbing(1, "GET /ask"),
        plumbing(2, "gateway", 1),
        entry,
        named(90, 4, "model", 3, type="generation"),
        plumbing(5, "POST /completions", 4),
        plumbing(6, "SELECT users", 3, status=(2, "timeout")),
        plumbing(7, "GET /cache", 3),
    )
    page.goto(address(server, 90))
    rows = page.locator(".t-row .t-name")
    shown = ["2 infrastructure spans", "assistant", "model", "1 infrastructure span", "SELECT users"]
    for view in ("Tree", "Timeline"):
        page.get_by_role("button", name=view).click()
        expect(rows.locator("> span:first-child")).to_have_text([*shown, "1 infrastructure span"])
    page.get_by_role("button", name="Tree").click()
    expect(rows.nth(1)).to_contain_text("entry")
    visitor.picture(page, "infrastructure-closed")

    page.locator("[data-rows]").focus()
    page.keyboard.press("j")
    expect(selected(page)).to_have_text("2 infrastructure spans")
    page.keyboard.press("ArrowRight")
    expect(rows).to_have_count(8)
    levels = page.locator(".t-row").evaluate_all("nodes => nodes.map((node) => node.ariaLevel)")
    assert levels == ["1", "2", "3", "4", "5", "6", "5", "5"]
    page.keyboard.press("ArrowRight")
    expect(selected(page)).to_have_text("GET /ask")
    visitor.picture(page, "infrastructure-open")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    expect(rows).to_have_count(6)
    page.keyboard.press("Enter")
    expect(rows).to_have_count(8)
    page.locator(".t-row", has_text="2 infrastructure spans").click()
    expect(rows).to_have_count(6)

    page.locator("[data-find]").fill("cache")  # a search looks into groups
    expect(page.locator(".t-row:not(.is-context)")).to_have_count(1)
    expect(page.locator(".t-row", has_text="GET /cache")).to_be_visible()
    page.goto(address(server, 90, f"?observation={2:016x}"))  # and a link opens the one it points into
    expect(selected(page)).to_have_text("gateway")
