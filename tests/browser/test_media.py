"""Files of traces in a real browser: pictures and sounds play, and no file, whatever it claims, runs."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Route, expect

from tests.browser.conftest import Visitor
from tests.support import media, otlp
from tests.support.browsing import sign_in
from tests.support.buckets import temporary_bucket
from tests.support.provisioned import CREDENTIALS, ENVIRONMENT, PERSON, PROJECT_ID
from tests.support.server import ServerProcess

pytestmark = pytest.mark.browser

SCRIPT = "localStorage.setItem('pwned','1');fetch('/pwned');document.title='pwned';alert('pwned')"
HTML = f'<!doctype html><html><body onload="{SCRIPT}"><script>{SCRIPT}</script></body></html>'.encode()
SVG = (
    f'<svg xmlns="http://www.w3.org/2000/svg" onload="{SCRIPT}"><script>{SCRIPT}</script>'
    f'<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><img src="x" onerror="{SCRIPT}"/></body>'
    "</foreignObject></svg>"
).encode()
XML = (
    f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><script>{SCRIPT}</script></html>'
).encode()
GIF_AND_SCRIPT = b"GIF89a/*" + b"\x01\x00\x00\x00,\x00*/=1;" + SCRIPT.encode()
PNG_AND_HTML = media.png() + HTML

HOSTILE = {
    "html": (HTML, "text/html"),
    "svg": (SVG, "image/svg+xml"),
    "xml": (XML, "application/xml"),
    "script": (SCRIPT.encode(), "application/javascript"),
    "plain": (HTML + b"1", "text/plain"),
    "markdown": (HTML + b"2", "text/markdown"),
    "octets": (HTML + b"3", "application/octet-stream"),
    "json": (HTML + b"4", "application/json"),
    "pdf": (
        b"%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n" + HTML,
        "application/pdf",
    ),
    "html as png": (HTML + b"5", "image/png"),
    "html as jpg": (HTML + b"6", "image/jpg"),
    "svg as png": (SVG + b" ", "image/png"),
    "html as audio": (HTML + b"7", "audio/mpeg"),
    "html as video": (HTML + b"8", "video/mp4"),
    "gif and script": (GIF_AND_SCRIPT, "image/gif"),
    "png and html": (PNG_AND_HTML, "image/png"),
    "style": (b"body{background:url(/pwned)}", "text/css"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a person, a project, and a trace that refers to every file."""
    directory = tmp_path_factory.mktemp("media")
    with ServerProcess(directory / "data", **ENVIRONMENT, **PERSON) as server:
        with httpx.Client(base_url=server.url, auth=CREDENTIALS) as client:
            for content, content_type in HOSTILE.values():
                media.upload(client, content, content_type)
            media.upload(client, media.png(64, 48), "image/png")
            media.upload(client, media.wav(2.0), "audio/wav")
            send(client, 1, [media.reference(*file) for file in HOSTILE.values()])
            good = [media.reference(media.png(64, 48)), media.reference(media.wav(2.0), "audio/wav")]
            send(client, 2, [*good, media.reference(HTML, "text/html"), media.reference(b"gone")])
        yield server


def send(client: httpx.Client, trace: int, references: list[str], span: bytes = b"12345678") -> None:
    attributes = {
        "langfuse.observation.input": json.dumps([{"role": "user", "content": references}]),
        "langfuse.observation.output": "\n".join(references),
        "langfuse.observation.metadata.files": json.dumps(references),
    }
    sent = {"trace_id": trace.to_bytes(16, "big"), "span_id": span, "name": "files"}
    answer = client.post(
        "/api/public/otel/v1/traces",
        content=otlp.request(sent | {"attributes": attributes}),
        headers={"content-type": "application/x-protobuf"},
    )
    assert answer.status_code == 200, answer.text


def trace_url(server: ServerProcess, trace: int, tab: str = "preview") -> str:
    return f"{server.url}/project/{PROJECT_ID}/traces/{trace:032x}?observation={b'12345678'.hex()}&tab={tab}"


def page_url(server: ServerProcess, content: bytes) -> str:
    return f"{server.url}/project/{PROJECT_ID}/media/{media.media_id(content)}"


def signed_url(server: ServerProcess, content: bytes) -> str:
    path = f"/api/public/media/{media.media_id(content)}"
    return str(httpx.get(server.url + path, auth=CREDENTIALS).json()["url"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_and_sounds(server: ServerProcess, visitor: Visitor, scheme: Any) -> None:
    page = visitor.open(f"{server.url}/auth/sign-in")
    sign_in(page, server.url)
    page.emulate_media(color_scheme=scheme)
    for tab in ("preview", "json", "metadata"):
        page.goto(trace_url(server, 2, tab))
        picture = page.locator(".medium img").first
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("naturalWidth", 64)
        expect(page.locator(".medium audio").first).to_have_js_property("duration", 2)
        expect(page.locator(".medium-box.is-here").first).to_contain_text("text/html")
        expect(page.locator(".panel-body")).to_contain_text("Not in this project")
        visitor.picture(page, f"media-{tab}-{scheme}")
    with page.expect_download() as started:
        page.locator(".medium-box.is-here a[download]").first.click()
    assert started.value.suggested_filename == f"{media.media_id(HTML)}.html"


def test_a_player_goes_anywhere_and_stays_there(server: ServerProcess, visitor: Visitor) -> None:
    """What arrives meanwhile must not take a player away from who listens."""
    sound = media.wav(4.0)
    with httpx.Client(base_url=server.url, auth=CREDENTIALS) as client:
        media.upload(client, sound, "audio/wav")
        send(client, 4, [media.reference(sound, "audio/wav")])
        page = visitor.open(f"{server.url}/auth/sign-in")
        sign_in(page, server.url)
        page.goto(trace_url(server, 4))
        player = page.locator(".medium audio").first
        expect(player).to_have_js_property("duration", 4)
        player.evaluate("audio => new Promise(done => { audio.onseeked = done; audio.currentTime = 2.5; })")
        expect(player).to_have_js_property("currentTime", 2.5)
        send(client, 4, [media.reference(sound, "audio/wav"), "more"], span=b"another1")
        expect(page.locator(".t-row")).to_have_count(2)
        expect(player).to_have_js_property("currentTime", 2.5)


def test_a_picture_that_comes_later(server: ServerProcess, visitor: Visitor) -> None:
    """SDKs upload beside the trace: an open page shows the file as soon as it is there."""
    picture = media.png(32, 32)
    with httpx.Client(base_url=server.url, auth=CREDENTIALS) as client:
        trace = 3
        send(client, trace, [media.reference(picture)])
        page = visitor.open(f"{server.url}/auth/sign-in")
        sign_in(page, server.url)
        page.goto(trace_url(server, trace))
        expect(page.locator(".medium-box").first).to_contain_text("Not in this project")
        media.upload(client, picture, traceId=f"{trace:032x}")
        expect(page.locator(".medium img").first).to_have_js_property("naturalWidth", 32)


def test_pictures_in_a_bucket(tmp_path: Path, visitor: Visitor) -> None:
    """The content security policy lets pages show what the bucket serves, and uploads go there."""
    picture = media.png(64, 48)
    with temporary_bucket() as url:
        environment = {**ENVIRONMENT, **PERSON, "LITEFUSE_MEDIA_URL": url}
        with ServerProcess(tmp_path / "data", **environment) as server:
            with httpx.Client(base_url=server.url, auth=CREDENTIALS) as client:
                media_id = media.upload(client, picture, "image/png")
                told = {"uploadedAt": "2026-11-21T08:00:00Z", "uploadHttpStatus": 200}
                assert client.patch(f"/api/public/media/{media_id}", json=told).status_code == 200
                send(client, 1, [media.reference(picture)])
            page = visitor.open(f"{server.url}/auth/sign-in")
            sign_in(page, server.url)
            page.goto(trace_url(server, 1))
            expect(page.locator(".medium img").first).to_have_js_property("naturalWidth", 64)
            page.close()  # before what it shows goes away


class Attacked:
    """A signed-in person in whose browser nothing must run."""

    def __init__(self, context: BrowserContext, server: ServerProcess) -> None:
        self.server = server
        self.events: list[str] = []
        self.context = context
        context.on("page", self._watch)
        context.on("request", lambda request: self._asked(request.url))
        self.page = context.new_page()
        sign_in(self.page, server.url)

    def _watch(self, page: Page) -> None:
        page.on("dialog", lambda dialog: (self.events.append(f"dialog on {page.url}"), dialog.dismiss()))

    def _asked(self, url: str) -> None:
        if "pwned" in url:
            self.events.append(f"request for {url}")

    def visit(self, url: str) -> None:
        """Open an address as a link would; a download is no navigation."""
        try:
            self.page.goto(url, wait_until="load")
        except Error as error:
            assert "ERR_ABORTED" in str(error) or "Download is starting" in str(error), error

    def check(self) -> None:
        """Nothing ran on our origin."""
        self.page.goto(f"{self.server.url}/auth/sign-in")
        assert self.page.evaluate("localStorage.getItem('pwned')") is None
        assert self.events == []


@pytest.fixture(scope="module")
def attacked(browser: Browser, server: ServerProcess) -> Iterator[Attacked]:
    """Such a person."""
    context = browser.new_context()
    yield Attacked(context, server)
    context.close()


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("html", "text/html"), ("svg", "image/svg+xml"), ("xml", "application/xhtml+xml")],
)
def test_the_traps_would_work(attacked: Attacked, name: str, content_type: str) -> None:
    """Served without care, these files do run: otherwise the other tests would prove nothing."""
    url = f"{attacked.server.url}/trap"
    fill = functools.partial(Route.fulfill, body=HOSTILE[name][0], content_type=content_type)
    attacked.context.route(url, lambda route: fill(route))
    attacked.page.goto(url)
    attacked.page.goto(f"{attacked.server.url}/auth/sign-in")
    assert attacked.page.evaluate("localStorage.getItem('pwned')") == "1"
    assert attacked.events
    attacked.context.unroute(url)
    attacked.page.evaluate("localStorage.clear()")
    attacked.events.clear()


@pytest.mark.parametrize("name", HOSTILE)
def test_opened_directly(attacked: Attacked, server: ServerProcess, name: str) -> None:
    content, _ = HOSTILE[name]
    for url in (
        page_url(server, content),
        page_url(server, content) + "?download",
        signed_url(server, content),
    ):
        attacked.visit(url)
    attacked.check()


def test_on_the_page_of_a_trace(attacked: Attacked, server: ServerProcess) -> None:
    for tab in ("preview", "json", "metadata"):
        attacked.page.goto(trace_url(server, 1, tab))
        expect(attacked.page.locator(".medium").first).to_be_visible()
        for picture in attacked.page.locator(".medium img").all():
            picture.scroll_into_view_if_needed()
        attacked.page.wait_for_load_state("networkidle")
    attacked.check()


EMBEDDED = """url => Promise.all(['script', 'iframe', 'embed', 'object', 'link', 'img', 'video'].map(name => {
    const element = document.createElement(name);
    if (name == 'object') element.data = url;
    else if (name == 'link') { element.rel = 'stylesheet'; element.href = url; }
    else element.src = url;
    const done = new Promise(resolve => {
        element.onload = element.onerror = element.onloadeddata = resolve;
        setTimeout(resolve, 1000);
    });
    document.body.append(element);
    return done;
}))"""


@pytest.mark.parametrize("name", ["html", "svg", "script", "gif and script", "style", "html as png"])
def test_built_into_a_page_of_ours(attacked: Attacked, server: ServerProcess, name: str) -> None:
    """Even if somebody got an element into a page: what a file is sent as is neither script nor style."""
    attacked.page.goto(trace_url(server, 2))
    for url in (page_url(server, HOSTILE[name][0]), signed_url(server, HOSTILE[name][0])):
        attacked.page.evaluate(EMBEDDED, url)
    attacked.check()
