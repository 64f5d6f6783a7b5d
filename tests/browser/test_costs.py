"""Costs as a person opens and corrects them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.support import otlp
from tests.support.browsing import sign_in
from tests.support.provisioned import CREDENTIALS, ENVIRONMENT, PERSON, PROJECT_ID
from tests.support.server import ServerProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser

FAST = {"source": "model_parameters", "key": "speed", "operator": "in", "values": ["fast"]}
LARGE = {"usageDetailPattern": "input", "operator": "gt", "value": 100000}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One with a person, a project, a model of its own and a trace."""
    with ServerProcess(tmp_path_factory.mktemp("costs") / "data", **ENVIRONMENT, **PERSON) as server:
        price(server, 0.0000025)
        send(server)
        yield server


def price(server: ServerProcess, input_price: float) -> None:
    """The project's own model, with this price for a token of input."""
    tiers = [
        {"name": "Standard", "isDefault": True, "priority": 0,
         "prices": {"input": input_price, "output": 0.00001, "input_cached_tokens": 0.00000125}},
        {"name": "Large context", "priority": 1, "conditions": [LARGE], "prices": {"input": 0.000005}},
        {"name": "Fast", "priority": 2, "conditions": [FAST],
         "prices": {"input": 0.00001, "output": 0.00004}},
    ]  # fmt: skip
    body = {"modelName": "house-7b", "matchPattern": "^house-7b$", "unit": "TOKENS", "pricingTiers": tiers}
    answer = httpx.put(f"{server.url}/api/public/models/house-7b", json=body, auth=CREDENTIALS)
    assert answer.status_code == 200, answer.text


def send(server: ServerProcess) -> None:
    """An agent that calls two models."""
    now = time.time_ns()
    common = {"trace_id": uuid4().bytes, "start": now, "end": now + 1_500_000_000}
    below = {**common, "parent": b"\1" * 8}
    call = {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "house-7b"}
    usage = {"input": 1203, "output": 418, "input_cached_tokens": 12001}
    sent = [
        {**common, "name": "research agent", "span_id": b"\1" * 8},
        {**below, "name": "plan", "attributes": {
            **call, "langfuse.observation.usage_details": json.dumps(usage)}},
        {**below, "name": "write", "attributes": {
            **call, "langfuse.observation.model.parameters": '{"speed":"fast"}',
            "langfuse.observation.usage_details": json.dumps({"input": 77, "output": 5})}},
        {**below, "name": "billed elsewhere", "attributes": {
            **call, "langfuse.observation.cost_details": json.dumps({"input": 0.01, "total": 0.0125})}},
    ]  # fmt: skip
    answer = httpx.post(
        f"{server.url}/api/public/otel/v1/traces",
        content=otlp.request(*sent),
        auth=CREDENTIALS,
        headers={"content-type": "application/x-protobuf"},
    )
    assert answer.status_code == 200, answer.text


def open_trace(server: ServerProcess, visitor: Visitor, language: str = "") -> Page:
    page = visitor.open(f"{server.url}/")
    sign_in(page, server.url, f"/project/{PROJECT_ID}/traces")
    page.locator(".trace-link", has_text="research agent").first.click()
    expect(page.locator("[data-head]")).to_be_visible()
    return page


def no_wider_than_the_window(page: Page) -> None:
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0


def test_a_cost_opens_down_to_its_rule(server: ServerProcess, visitor: Visitor) -> None:
    page = open_trace(server, visitor)
    page.get_by_text("write", exact=True).first.click()
    page.locator(".figures .sum-link").click()
    panel = page.locator(".figures .sum-panel")
    expect(panel).to_contain_text("How $0.0010 was computed")
    expect(panel).to_contain_text("parameter speed is fast")
    expect(panel.locator(".sum-total")).to_have_text("$0.00097")
    visitor.picture(page, "cost-observation")
    page.keyboard.press("Escape")
    page.locator("[data-head] .sum-link").click()
    head = page.locator("[data-head] .sum-panel")
    expect(head).to_contain_text("is made of")
    expect(head.locator(".sum-total")).to_have_count(3)
    visitor.picture(page, "cost-trace")
    page.emulate_media(color_scheme="dark")
    visitor.picture(page, "cost-trace-dark")


def test_on_a_phone_in_chinese(server: ServerProcess, visitor: Visitor) -> None:
    page = open_trace(server, visitor)
    page.context.add_cookies([{"name": "django_language", "value": "zh-hans", "url": server.url}])
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    page.get_by_text("plan", exact=True).first.click()
    page.locator(".figures .sum-link").click()
    expect(page.locator(".figures .sum-panel")).to_contain_text("计算")
    no_wider_than_the_window(page)
    visitor.picture(page, "cost-phone-zh")


def test_a_corrected_price(server: ServerProcess, visitor: Visitor) -> None:
    trace = open_trace(server, visitor)  # and stays open: it is told
    cost = trace.locator("[data-head] .sum-link")
    before = cost.inner_text()
    traces = visitor.open(f"{server.url}/project/{PROJECT_ID}/traces")
    row = traces.locator("tr[data-id]", has_text="research agent").first.locator(".c-cost")
    expect(row).to_have_text(before)
    price(server, 0.000002)
    page = visitor.open(f"{server.url}/project/{PROJECT_ID}/settings/reprice")
    page.get_by_role("button", name="Show what would change").click()
    table = page.locator(".reprice-days")
    expect(table.locator("tbody tr")).to_have_count(1)
    expect(table).to_contain_text("-$0.0006015")
    visitor.picture(page, "reprice-preview")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(400)  # colours fade
    visitor.picture(page, "reprice-preview-dark")
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Re-price").click()
    badge = page.locator("#reprice-runs .badge").first
    expect(badge).to_have_text("done")
    visitor.picture(page, "reprice-done")
    expect(cost).not_to_have_text(before)
    expect(row).to_have_text(cost.inner_text())
    page.get_by_role("button", name="Undo").first.click()
    expect(badge).to_have_text("undone")
    expect(cost).to_have_text(before)
    expect(row).to_have_text(before)
    page.context.add_cookies([{"name": "django_language", "value": "zh-hans", "url": server.url}])
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server.url}/project/{PROJECT_ID}/settings/reprice?from=")  # the last week
    expect(page.locator(".reprice-days")).to_be_visible()
    no_wider_than_the_window(page)
    visitor.picture(page, "reprice-phone-zh")


def test_an_estimate_is_marked(server: ServerProcess, visitor: Visitor) -> None:
    now = time.time_ns() - 5_000_000_000
    trace_id, span_id = uuid4(), b"\7" * 8
    attributes = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": "house-7b",
        "langfuse.observation.input": json.dumps(
            [{"role": "user", "content": "What does a llama eat? " * 40}]
        ),
        "langfuse.observation.output": json.dumps({"role": "assistant", "content": "Grass, hay. " * 60}),
    }
    sent = {"name": "streamed answer", "trace_id": trace_id.bytes, "span_id": span_id, "start": now,
            "end": now + 2_000_000_000, "attributes": attributes}  # fmt: skip
    answer = httpx.post(
        f"{server.url}/api/public/otel/v1/traces",
        content=otlp.request(sent),
        auth=CREDENTIALS,
        headers={"content-type": "application/x-protobuf"},
    )
    assert answer.status_code == 200
    address = f"{server.url}/api/public/observations/{span_id.hex()}"
    wait_until(
        lambda: httpx.get(address, auth=CREDENTIALS).json().get("usageEstimated"), "an estimate", seconds=90
    )
    page = visitor.open(f"{server.url}/")
    sign_in(page, server.url, f"/project/{PROJECT_ID}/traces")
    row = page.locator(".trace-row", has_text="streamed answer")
    expect(row.locator(".c-cost .estimated")).to_have_text("≈")
    visitor.picture(page, "estimated-list")
    row.locator(".trace-link").click()
    page.locator("[data-head] .sum-link").click()
    expect(page.locator("[data-head] .sum-panel")).to_contain_text("estimated")
    page.keyboard.press("Escape")
    page.locator(".t-row", has_text="streamed answer").click()
    page.locator(".figures .sum-link").click()
    expect(page.locator(".figures .sum-panel")).to_contain_text("tokens were counted from input and output")
    visitor.picture(page, "estimated-observation")
