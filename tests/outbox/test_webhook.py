"""Webhooks through the outbox to a real receiver: signed, retried, guarded."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.utils import timezone

from apps.core.outgoing import OutgoingRefused
from apps.outbox import delivery, services
from apps.outbox.models import State, Webhook

pytestmark = pytest.mark.django_db


class _Receiver(BaseHTTPRequestHandler):
    answers: list[int] = []
    got: list[tuple[dict[str, str], str]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.answers.pop(0) if self.answers else 204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def receiver(settings) -> Iterator[str]:
    _Receiver.answers, _Receiver.got = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        settings.OUTGOING_ALLOW = [f"127.0.0.1:{http.server_address[1]}"]
        yield f"http://127.0.0.1:{http.server_address[1]}/hook"
        http.shutdown()
        thread.join()


def _enqueue(url: str) -> Webhook:
    return services.enqueue_webhook(endpoint="e1", url=url, event="prompt.created", payload={"name": "é"})


def test_it_works_and_is_signed(receiver: str) -> None:
    webhook = _enqueue(receiver)
    assert delivery.deliver_webhook(webhook.pk)
    [(headers, body)] = _Receiver.got
    assert json.loads(body) == {"name": "é"}
    timestamp = int(headers["x-litefuse-signature"].partition(",")[0].removeprefix("t="))
    assert headers["x-litefuse-signature"] == services.sign("e1", body, timestamp)
    assert headers["x-litefuse-event"] == "prompt.created"
    webhook.refresh_from_db()
    assert (webhook.state, webhook.status) == (State.SENT, 204)


def test_each_receiver_has_a_secret_of_its_own(settings) -> None:
    secret = services.signing_secret("e1")
    assert secret.startswith("whsec_") and secret != services.signing_secret("e2")
    settings.ENCRYPTION_KEY = "another"
    assert secret != services.signing_secret("e1")


def test_an_error_is_tried_again_and_then_arrives(receiver: str) -> None:
    _Receiver.answers = [500]
    webhook = _enqueue(receiver)
    assert not delivery.deliver_webhook(webhook.pk)
    webhook.refresh_from_db()
    assert (webhook.state, webhook.status) == (State.WAITING, 500)
    Webhook.objects.update(next_attempt_at=timezone.now())
    assert delivery.deliver_webhook(webhook.pk)
    assert len(_Receiver.got) == 2


def test_a_receiver_that_is_gone_is_left_alone(receiver: str) -> None:
    _Receiver.answers = [410]
    webhook = _enqueue(receiver)
    assert not delivery.deliver_webhook(webhook.pk)
    webhook.refresh_from_db()
    assert webhook.state == State.DEAD


def test_a_private_address_is_never_asked(receiver: str, settings) -> None:
    webhook = _enqueue(receiver)
    settings.OUTGOING_ALLOW = []
    assert not delivery.deliver_webhook(webhook.pk)
    webhook.refresh_from_db()
    assert webhook.state == State.DEAD and "LITEFUSE_OUTGOING_ALLOW" in webhook.last_error
    assert _Receiver.got == []
    with pytest.raises(OutgoingRefused):
        _enqueue(receiver)
