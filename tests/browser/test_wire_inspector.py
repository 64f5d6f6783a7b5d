"""The wire inspector as a person uses it: requests arrive by themselves, keys move, problems stand out."""

from __future__ import annotations

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

PATH = f"/project/{PROJECT_ID}/settings/wire"
GENERATION = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.usage.cost": "0.11 EUR",
    "app.tenant": "eu",
    "password": "hush-hush",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One with a person and a project."""
    with ServerProcess(tmp_path_factory.mktemp("wire") / "data", **ENVIRONMENT, **PERSON) as server:
        yield server


def send(server: ServerProcess, name: str, status: int = 200, body: bytes | None = None) -> None:
    """One request of a client."""
    answer = httpx.post(
        f"{server.url}/api/public/otel/v1/traces",
        content=otlp.request({"name": name, "attributes": GENERATION}) if body is None else body,
        auth=CREDENTIALS,
        headers={"content-type": "application/x-protobuf"},
    )
    assert answer.status_code == status


def rows(page: Page):
    return page.locator(".wire-row")


def test_from_nothing_to_an_explained_span(server: ServerProcess, visitor: Visitor) -> None:
    page = visitor.open(f"{server.url}/")
    sign_in(page, server.url, PATH)
    expect(page.get_by_text("Nothing has arrived in the last hour")).to_be_visible()
    expect(page.locator("html[data-socket=open]")).to_be_attached()
    send(server, "chat kyoto")
    expect(rows(page)).to_have_count(1)
    detail = page.locator("#wire-detail")
    expect(detail.get_by_role("heading", name="chat kyoto")).to_be_visible()
    model = detail.locator("tr", has_text="gen_ai.request.model")
    expect(model.locator(".wire-field")).to_have_text("model")
    expect(page.locator("[data-sums]")).to_contain_text("Everything is accounted for")
    assert "hush" not in page.content()
    detail.get_by_text("Only problems").click()
    expect(model).to_be_hidden()
    expect(detail.locator("tr", has_text="0.11 EUR")).to_be_visible()
    visitor.picture(page, "wire-problems")
    detail.get_by_role("link", name="Answer").click()
    expect(detail.get_by_text("1 received: 1 stored")).to_be_visible()


def test_rows_wait_while_the_pointer_is_over_them(server: ServerProcess, visitor: Visitor) -> None:
    send(server, "first")
    page = visitor.open(f"{server.url}/")
    sign_in(page, server.url, PATH)
    expect(page.locator("html[data-socket=open]")).to_be_attached()
    expect(page.locator("#wire-detail").get_by_role("heading", name="first")).to_be_visible()
    count = rows(page).count()
    rows(page).first.hover()
    send(server, "second")
    expect(page.locator(".wire-pill")).to_be_visible()
    send(server, "third")  # the pill lies under the pointer now: the rows wait all the same
    expect(page.locator(".wire-pill")).to_contain_text("2")
    assert rows(page).count() == count
    page.locator("#wire-detail").hover()
    expect(page.locator(".wire-pill")).to_have_count(0)


def test_keys_and_refusals(server: ServerProcess, visitor: Visitor) -> None:
    send(server, "good")
    send(server, "bad", status=400, body=b"\xff\xff")
    page = visitor.open(f"{server.url}/")
    sign_in(page, server.url, PATH)
    detail = page.locator("#wire-detail")
    expect(detail.get_by_role("alert")).to_contain_text("not an OTLP")
    page.keyboard.press("j")
    expect(detail.get_by_role("heading", name="good")).to_be_visible()
    page.keyboard.press("k")
    expect(detail.get_by_role("alert")).to_be_visible()
    assert "request=" in page.url
    page.reload()
    expect(detail.get_by_role("alert")).to_be_visible()


def test_on_a_phone_one_after_the_other(server: ServerProcess, visitor: Visitor) -> None:
    send(server, "on a phone")
    page = visitor.open(f"{server.url}/")
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, server.url, PATH)
    rows(page).first.locator("a").click()
    expect(page.get_by_role("heading", name="on a phone")).to_be_visible()
    expect(rows(page).first).to_be_hidden()
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0
    page.locator("[data-close-wire]").click()
    expect(rows(page).first).to_be_visible()


def test_running_the_mapping_again(server: ServerProcess, visitor: Visitor) -> None:
    send(server, "again")
    page = visitor.open(f"{server.url}/")
    sign_in(page, server.url, PATH)
    page.get_by_role("link", name="Re-run the mapping").click()
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_text("Nothing would change")).to_be_visible()
    answer = httpx.post(
        f"{server.url}/api/public/wire-inspector/remap", json={"apply": True}, auth=CREDENTIALS
    )
    assert answer.status_code == 202
    page.reload()
    expect(page.locator("#remap-runs .badge").first).to_have_text("done")
    visitor.picture(page, "remap")
