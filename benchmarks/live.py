"""How long after its acknowledgement a trace stands in an open browser.

    python -m benchmarks.live

A server and a Chromium of its own; traces are sent one after the other while the list of traces is open.
The time counts from the answer's arrival at the sender to the row being in the document. Both read the same
machine's clock. The browser shares the machine, so this is more than the server's own part.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from benchmarks.machine import describe, percentile
from tests.support import needs, otlp
from tests.support.browsing import sign_in
from tests.support.provisioned import CREDENTIALS, ENVIRONMENT, PERSON, PROJECT_ID
from tests.support.server import ServerProcess

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
# Notes when each row came into the document, in milliseconds since the epoch.
WATCH = """() => {
    window.arrived = {};
    const note = () => {
        const now = performance.timeOrigin + performance.now();
        for (const row of document.querySelectorAll("#trace-rows tr")) window.arrived[row.dataset.id] ??= now;
    };
    new MutationObserver(note).observe(document.body, { childList: true, subtree: true });
    note();
}"""


def send(server: ServerProcess, client: httpx.Client) -> tuple[str, float]:
    """Store a trace of one span: its id, and when the answer was here (milliseconds since the epoch)."""
    trace = secrets.token_hex(16)
    now = time.time_ns()
    span = {"trace_id": bytes.fromhex(trace), "span_id": secrets.token_bytes(8), "name": "step"}
    answer = client.post(
        f"{server.url}/api/public/otel/v1/traces",
        content=otlp.request(span | {"start": now - 50_000_000, "end": now}),
        auth=CREDENTIALS,
        headers={"content-type": "application/x-protobuf"},
    )
    answer.raise_for_status()
    return trace, time.time() * 1000


def open_list(page: Page, server: ServerProcess) -> None:
    """Sign in and wait until the list listens."""
    sign_in(page, server.url, f"/project/{PROJECT_ID}/traces")
    page.locator("html[data-socket=open]").wait_for(state="attached")
    page.mouse.move(2, 2)


def measure(page: Page, server: ServerProcess, count: int) -> list[float]:
    """Milliseconds from answer to row, for each trace after the first."""
    took = []
    with httpx.Client() as client:
        send(server, client)
        page.locator("#trace-rows tr").first.wait_for()
        page.evaluate(WATCH)
        for _ in range(count):
            trace, answered = send(server, client)
            page.wait_for_function("id => window.arrived[id]", arg=trace)
            took.append(max(page.evaluate("id => window.arrived[id]", trace) - answered, 0.0))
            page.wait_for_timeout(200)
    return took


def main() -> None:
    """Measure in a directory that goes away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--traces", type=int, default=60)
    options = parser.parse_args()
    print(describe())
    with (
        tempfile.TemporaryDirectory(prefix="litefuse-benchmark-", ignore_cleanup_errors=True) as directory,
        ServerProcess(Path(directory) / "data", **ENVIRONMENT, **PERSON) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=needs.chromium(), args=FLAGS)
        page = browser.new_page()
        open_list(page, server)
        took = measure(page, server, options.traces)
        browser.close()
    shares = ", ".join(f"p{share} {percentile(took, share / 100):.0f} ms" for share in (50, 95, 99))
    print(f"answer to row, {len(took)} traces: {shares}, longest {max(took):.0f} ms")


if __name__ == "__main__":
    main()
