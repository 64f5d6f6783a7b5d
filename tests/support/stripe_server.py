"""A local server that speaks as much of Stripe's HTTP API as billing uses, with faults on demand.

It keeps what it was told, answers a repeated idempotency key with its first answer, and signs webhooks as
Stripe does. Tests point the real library at it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SECRET = "whsec_test"
PRO, USAGE = "price_pro", "price_usage"


@dataclass
class FakeStripe:
    """What the server knows. `faults` are taken one a request: a status to answer with, or `hang`."""

    url: str = ""
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    subscriptions: dict[str, dict[str, Any]] = field(default_factory=dict)
    invoices: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)  # meter events by identifier
    faults: list[int | str] = field(default_factory=list)
    lost: int = 0  # answers to swallow after the work was done
    customers: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def subscribe(self, customer: str, *, start: int, **more: Any) -> str:
        """A subscription, as if the checkout had been paid."""
        id_ = f"sub_{len(self.subscriptions) + 1}"
        items = [
            {"id": f"si_{price}", "object": "subscription_item", "price": {"id": price, "object": "price"},
             "current_period_start": start, "current_period_end": start + 30 * 86_400}
            for price in (PRO, USAGE)
        ]  # fmt: skip
        self.subscriptions[id_] = {
            "id": id_, "object": "subscription", "customer": customer, "status": "active",
            "billing_cycle_anchor": start, "start_date": start, "cancel_at_period_end": False,
            "ended_at": None, "items": {"object": "list", "data": items}, **more,
        }  # fmt: skip
        return id_

    def bill(self, customer: str, total: int, **more: Any) -> str:
        """An invoice that was paid."""
        id_ = f"in_{len(self.invoices) + 1}"
        self.invoices[id_] = {
            "id": id_, "object": "invoice", "number": f"S-{len(self.invoices) + 1}", "customer": customer,
            "status": "paid", "currency": "usd", "total": total, "amount_paid": total, **more,
        }  # fmt: skip
        return id_

    def told(self, path: str) -> list[dict[str, str]]:
        """Forms of the requests to a path, repeated ones too."""
        return [form for _method, where, form in self.requests if where == path]


def event(id_: str, type_: str, about: dict[str, Any]) -> bytes:
    """Body of a webhook."""
    return json.dumps({"id": id_, "object": "event", "type": type_, "data": {"object": about}}).encode()


def signature(body: bytes, *, secret: str = SECRET, at: float | None = None) -> str:
    """The header that proves a body."""
    moment = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


@contextmanager
def fake_stripe() -> Iterator[FakeStripe]:
    """Runs one on a free port."""
    state = FakeStripe()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._handle()

        def do_POST(self) -> None:
            self._handle()

        def _handle(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            form = dict(parse_qsl(self.rfile.read(length).decode() or parts.query))
            assert self.headers["Authorization"] == "Bearer sk_test_1"
            key = self.headers.get("Idempotency-Key", "")
            with state.lock:
                state.requests.append((self.command, parts.path, form))
                fault = state.faults.pop(0) if state.faults else None
                if fault is None:
                    if key and key in state.answers:
                        status, body = state.answers[key]
                    else:
                        status, body = _answer(state, self.command, parts.path, form)
                        if key:
                            state.answers[key] = (status, body)
                    if state.lost:
                        state.lost -= 1
                        fault = "hang"
            if fault == "hang":
                time.sleep(1.5)
                self.close_connection = True
                return
            if isinstance(fault, int):
                status, body = fault, {"error": {"type": "api_error", "message": "as planned"}}
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def _answer(state: FakeStripe, method: str, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
    parts = path.removeprefix("/v1/").split("/")
    if path == "/v1/customers":
        state.customers += 1
        return 200, {"id": f"cus_{state.customers}", "object": "customer"}
    if path == "/v1/checkout/sessions":
        return 200, {"id": "cs_1", "object": "checkout.session", "url": "https://checkout.stripe.com/c/1"}
    if path == "/v1/billing_portal/sessions":
        return 200, {"id": "bps_1", "object": "billing_portal.session", "url": "https://billing.stripe.com/p"}
    if path == "/v1/subscriptions":
        found = [one for one in state.subscriptions.values() if one["customer"] == form["customer"]]
        return 200, {"object": "list", "data": found[::-1], "has_more": False, "url": path}
    if parts[0] == "subscriptions" and method == "POST":
        one = state.subscriptions[parts[1]]
        one["cancel_at_period_end"] = form["cancel_at_period_end"].lower() == "true"
        return 200, one
    if parts[0] == "invoices" and parts[1] in state.invoices:
        return 200, state.invoices[parts[1]]
    if path == "/v1/billing/meter_events":
        if form["identifier"] in state.events:
            text = f"An event already exists with identifier {form['identifier']}."
            return 400, {"error": {"type": "invalid_request_error", "message": text}}
        state.events[form["identifier"]] = form
        return 200, {"object": "billing.meter_event", **form}
    return 404, {"error": {"type": "invalid_request_error", "message": "No such thing"}}
