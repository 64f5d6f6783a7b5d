"""Models in a browser: found, opened, tested by name, copied, changed, made for a name without a price."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visitor
from tests.support import otlp
from tests.support.browsing import sign_in
from tests.support.provisioned import CREDENTIALS, ENVIRONMENT, PERSON, PROJECT_ID
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser

PATH = f"/project/{PROJECT_ID}/settings/models"
LOOKS = {
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark", "locale": "en-GB"},
    "phone-zh": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "locale": "zh-CN"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One with a person, a project, and calls of two models: one with a price, one without."""
    with ServerProcess(tmp_path_factory.mktemp("models") / "data", **ENVIRONMENT, **PERSON) as server:
        call(server, "gpt-4o-mini", {"input": 12, "output": 3})
        call(server, "gateway/house-7b", {"input": 1000, "input_cached_tokens": 50, "output": 20})
        yield server


def call(server: ServerProcess, model: str, usage: dict[str, int]) -> None:
    """One call of a model."""
    text = "{" + ", ".join(f'"{key}": {units}' for key, units in usage.items()) + "}"
    generation = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": model,
        "langfuse.observation.usage_details": text,
    }
    answer = httpx.post(
        f"{server.url}/api/public/otel/v1/traces",
        content=otlp.request({"name": f"call {model}", "attributes": generation}),
        auth=CREDENTIALS,
        headers={"content-type": "application/x-protobuf"},
    )
    assert answer.status_code == 200, answer.text


def cost_of(server: ServerProcess, name: str) -> object:
    """What the API says an observation costs."""
    answer = httpx.get(f"{server.url}/api/public/observations", params={"name": name}, auth=CREDENTIALS)
    return answer.json()["data"][0]["calculatedTotalCost"]


def used(page: Page, name: str):
    """The calls of a model in the list."""
    return page.locator("tr", has=page.get_by_role("link", name=name, exact=True)).locator(".models-used")


def test_finding_and_opening_a_model(server: ServerProcess, visitor: Visitor) -> None:
    page = visitor.open(f"{server.url}/")
    sign_in(page, server.url, PATH)
    page.get_by_role("searchbox").fill("gpt-4o-mini")
    expect(page).to_have_url(re.compile("q=gpt-4o-mini"))
    expect(used(page, "gpt-4o-mini")).to_have_text("1")
    visitor.picture(page, "models-found")
    page.get_by_label("Whose").select_option("own")
    expect(page.get_by_text("No model is called so")).to_be_visible()
    page.go_back()
    page.locator("#models").get_by_role("link", name="gpt-4o-mini", exact=True).click()
    expect(page.get_by_role("heading", name="gpt-4o-mini")).to_be_visible()
    expect(page.get_by_text("$0.075").first).to_be_visible()
    expect(page.locator("#used-0")).to_have_text("1")
    page.locator(".models-names summary").first.click()
    expect(page.get_by_text("input_cached_tokens").first).to_be_visible()
    visitor.picture(page, "model")


def test_testing_a_name_as_it_is_typed(server: ServerProcess, visitor: Visitor) -> None:
    page = visitor.open(f"{server.url}/")
    sign_in(page, server.url, f"{PATH}/test")
    name = page.get_by_label("Model name")
    name.press_sequentially("openai/gpt-4o-2024-08-06")
    answer = page.locator("#test-answer")
    expect(answer.locator(".models-taken a")).to_have_text("gpt-4o")
    expect(answer.get_by_text("the name speaks of another provider").first).to_be_visible()
    visitor.picture(page, "model-test")
    name.fill("gpt-4o-ultra")
    expect(answer.get_by_text("No definition takes this name")).to_be_visible()
    expect(answer.get_by_text("Similar names:")).to_be_visible()
    expect(answer.get_by_role("link", name="Define it")).to_be_visible()


def test_cloning_and_changing(server: ServerProcess, visitor: Visitor) -> None:
    page = visitor.open(f"{server.url}/")
    sign_in(page, server.url, f"{PATH}/definition/openai:gpt-4o-mini")
    page.get_by_role("link", name="Clone into this project").click()
    page.get_by_label("Price in US dollars").first.fill("0.2")
    page.get_by_role("button", name="Add a tier with conditions").click()
    tier = page.locator("[data-tier]").last
    tier.get_by_label("Tier's name").fill("Large")
    tier.get_by_label("Conditions").fill("usage input > 10")
    tier.get_by_label("Priority").fill("50")
    tier.get_by_role("button", name="Add a price").click()
    expect(tier.locator("[data-price-row]")).to_have_count(3)
    tier.get_by_role("button", name="Remove this price").last.click()
    tier.get_by_label("Price in US dollars").first.fill("cheap")
    visitor.picture(page, "model-form")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("“cheap” is not a price")
    tier = page.locator("[data-tier]").last
    expect(tier.get_by_label("Conditions")).to_have_value("usage input > 10")
    tier.get_by_label("Price in US dollars").first.fill("9")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("usage input > 10")).to_be_visible()
    call(server, "gpt-4o-mini", {"input": 1_000_000})
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Price in US dollars").first.fill("0.3")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Revision 2")).to_be_visible()
    expect(page.locator(".models-history")).to_contain_text("0.3")
    visitor.picture(page, "model-own")
    page.get_by_role("button", name="Delete").first.click()
    page.locator("dialog[open]").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("was deleted")).to_be_visible()
    visitor.complaints = [note for note in visitor.complaints if "status of 400" not in note]


def test_a_name_without_a_price_gets_one(server: ServerProcess, visitor: Visitor) -> None:
    page = visitor.open(f"{server.url}/")
    sign_in(page, server.url, PATH)
    row = page.locator(".unpriced tr", has_text="gateway/house-7b")
    expect(row).to_contain_text("1")
    visitor.picture(page, "models-unpriced")
    row.get_by_role("link", name="Give it a price").click()
    expect(page.get_by_label("Match pattern")).to_have_value("(?i)^(house-7b)$")
    expect(page.get_by_label("Usage keys")).to_have_count(3)
    for field, price in zip(page.get_by_label("Price in US dollars").all(), ("2", "1", "4"), strict=True):
        field.fill(price)
    visitor.picture(page, "model-for-a-name")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_role("link", name="Models", exact=True).click()
    expect(page.locator(".unpriced")).to_contain_text("new calls take gateway/house-7b")
    call(server, "house-7b", {"input": 1_000_000})
    assert cost_of(server, "call house-7b") == 2.0


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_fits(server: ServerProcess, browser: Browser, pictures, look: str) -> None:
    context = browser.new_context(**LOOKS[look])
    visitor = Visitor(context, pictures / look)
    page = visitor.open(f"{server.url}/")
    sign_in(page, server.url)
    for name, path in {
        "models": "",
        "model": "/definition/google:gemini-2.5-pro",
        "test": "/test?name=openai/gpt-4o-2024-08-06",
        "clone": "/new?from=google:gemini-2.5-pro",
    }.items():
        page.goto(f"{server.url}{PATH}{path}")
        page.wait_for_load_state("networkidle")
        visitor.picture(page, name)
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{path} is {wider} px wider than the window"
    context.close()
    assert visitor.complaints == []
