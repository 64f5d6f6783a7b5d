"""Word of thresholds: mail through a real mail server, webhooks to a real receiver; and hard limits."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.core.clock import now_micros
from apps.organizations.models import Project, ProjectMembership, Role
from apps.outbox import delivery
from apps.outbox.models import Mail, Webhook
from apps.outbox.services import signing_secret
from apps.tracing.records import TraceFacts
from apps.usage import alerts, plans, quotas
from apps.usage.budget_models import Budget, Crossing, Plan, QuotaNotice
from tests import factories
from tests.support import otlp
from tests.support.ports import free_port
from tests.support.program import Sender
from tests.support.program import authorization as authorization
from tests.support.program import project as project
from tests.support.program import sender as sender
from tests.tracing.spans import root
from tests.usage.budgeting import Store, budget, priced


@dataclass
class Post:
    """What a mail server and a receiver of webhooks got."""

    mails: list[tuple[list[str], Message]] = field(default_factory=list)
    hooks: list[tuple[dict[str, str], str]] = field(default_factory=list)
    url: str = ""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """What aiosmtpd calls with a mail."""
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 OK"


@pytest.fixture
def post(settings) -> Iterator[Post]:
    """Both, running; the program's mail and webhooks go there."""
    got = Post()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            got.hooks.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Quiet."""

    mail = Controller(got, hostname="127.0.0.1", port=free_port())
    mail.start()
    settings.OUTBOX_EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mail.port
    settings.EMAIL_BACKEND = "apps.outbox.mail.OutboxBackend"
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        settings.OUTGOING_ALLOW = [f"127.0.0.1:{http.server_address[1]}"]
        got.url = f"http://127.0.0.1:{http.server_address[1]}/hook"
        yield got
        http.shutdown()
        thread.join()
    mail.stop()


def deliver() -> None:
    """Send all that waits."""
    for parcel in Mail.objects.filter(state="waiting"):
        delivery.deliver_mail(parcel.pk)
    for hook in Webhook.objects.filter(state="waiting"):
        delivery.deliver_webhook(hook.pk)


def text_of(message: Message) -> str:
    """The body of a mail."""
    payload = message.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def test_mail_to_owners_and_admins_and_a_signed_webhook(home: Project, store: Store, post: Post):
    chief = factories.member(home.organization, Role.ADMIN)
    factories.member(home.organization, Role.MEMBER)
    made = budget(home.organization, name="Café", webhook_url=post.url, thresholds=(50, 100))
    store([root(home.id, "t1", start_time=now_micros(), **priced("6"))])
    store([root(home.id, "t2", start_time=now_micros(), **priced("0.5"))])
    deliver()
    owner = home.organization.memberships.get(role=Role.OWNER).user
    assert {to for tos, _ in post.mails for to in tos} == {owner.email, chief.email}
    assert "$6.00" in text_of(post.mails[0][1]) and "$10.00" in text_of(post.mails[0][1])
    [(headers, body)] = post.hooks
    stamp, signature = (part.partition("=")[2] for part in headers["x-litefuse-signature"].split(","))
    secret = signing_secret(alerts.endpoint_of(made)).encode()
    assert signature == hmac.new(secret, f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
    assert headers["x-litefuse-event"] == "budget.threshold"
    told = json.loads(body)
    assert (told["percent"], told["spent"], told["limit"]) == (50, "6", "10")
    assert told["budget"]["name"] == "Café"


@pytest.mark.parametrize(("instance", "request_language"), [("en", "zh-hans"), ("zh-hans", "en")])
def test_mails_are_in_the_language_of_the_instance(
    home: Project, store: Store, post: Post, settings, instance: str, request_language: str
):
    """Not in that of the request which happens to pass a threshold."""
    settings.LANGUAGE_CODE = instance
    budget(home.organization, name="One", thresholds=(50,))
    budget(home.organization, name="Many", scope="user", thresholds=(50,))
    now = now_micros()
    users = [
        root(
            home.id,
            f"t{n}",
            start_time=now,
            received_at=now,
            trace=TraceFacts(user_id=f"u{n}"),
            **priced("20"),
        )
        for n in range(2)
    ]
    with translation.override(request_language):
        plans.assign(actor=SYSTEM, organization=home.organization, plan_id="hobby")
        plans.change_plan(actor=SYSTEM, plan_id="hobby", values={"included_units": 4, "hard_limit_units": 4})
        store(list(users))
        assert translation.get_language() == request_language
    deliver()
    words = " ".join(
        str(make_header(decode_header(mail["subject"]))) + text_of(mail) for _, mail in post.mails
    )
    assert len(post.mails) == 3
    english = (
        "is at 50 %",
        "passed a threshold",
        "of your plan's units are used",
        "Calendar month",
        "stopped",
    )
    for text in english:
        assert (text in words) == (instance == "en"), text
    assert any("\u4e00" <= letter <= "\u9fff" for letter in words) == (instance == "zh-hans")


def test_several_thresholds_at_once_are_one_mail(home: Project, store: Store, post: Post):
    budget(home.organization, webhook_url=post.url, thresholds=(50, 80, 100))
    store([root(home.id, "t1", start_time=now_micros(), **priced("20"))])
    deliver()
    assert len(post.mails) == 1 and len(post.hooks) == 3


def test_many_users_at_once_are_one_mail_and_so_many_webhooks(
    home: Project, store: Store, post: Post, monkeypatch
):
    budget(home.organization, scope="user", webhook_url=post.url, thresholds=(50, 100))
    monkeypatch.setattr(alerts, "MAX_LINES", 3)
    monkeypatch.setattr(alerts, "MAX_HOOKS", 4)
    now = now_micros()
    users = [
        root(home.id, f"t{n}", start_time=now, trace=TraceFacts(user_id=f"u{n}"), **priced(str(20 + n)))
        for n in range(5)
    ]
    store(list(users))
    deliver()
    assert Crossing.objects.count() == 10 and len(post.hooks) == 4
    [(_tos, mail)] = post.mails
    text = text_of(mail)
    assert "u4: $24" in text and "u2: $22" in text and "u1" not in text and "2 more" in text


def test_without_mail(home: Project, store: Store, post: Post):
    budget(home.organization, sends_mail=False)
    store([root(home.id, "t1", start_time=now_micros(), **priced("20"))])
    deliver()
    assert Crossing.objects.count() == 3 and not post.mails and not post.hooks


def test_quotas_are_told_once_in_a_cycle(home: Project, store: Store, post: Post):
    plans.assign(actor=SYSTEM, organization=home.organization, plan_id="hobby")
    plans.change_plan(actor=SYSTEM, plan_id="hobby", values={"included_units": 10, "hard_limit_units": 10})
    for n, told in enumerate([0, 0, 0, 1, 2, 2]):
        store([root(home.id, f"t{n}", start_time=now_micros(), received_at=now_micros())])
        deliver()
        assert len(post.mails) == told, n
    assert "80 %" in str(post.mails[0][1]["subject"]) and "100 %" in str(post.mails[1][1]["subject"])
    assert QuotaNotice.objects.count() == 2
    quotas.evaluate_all()
    deliver()
    assert len(post.mails) == 2
    home.organization.refresh_from_db()
    assert "10 units of the plan Developer" in home.organization.over_quota
    stops = AuditEntry.objects.filter(resource_type="organization", resource_id=home.organization_id)
    stopped = stops.latest("pk")
    assert (stopped.before, stopped.after) == (
        {"overQuota": ""},
        {"overQuota": home.organization.over_quota},
    )
    plans.release(actor=SYSTEM, organization=home.organization)
    released = stops.filter(actor_kind="system").latest("pk")
    assert released.after == {"overQuota": ""} and released.before == stopped.after


def test_grace_comes_before_the_stop(home: Project, store: Store):
    plans.assign(actor=SYSTEM, organization=home.organization, plan_id="hobby")
    terms = {"included_units": 2, "hard_limit_units": 2, "grace_hours": 24}
    plans.change_plan(actor=SYSTEM, plan_id="hobby", values=terms)
    store([root(home.id, "t", start_time=now_micros(), received_at=now_micros())])
    home.organization.refresh_from_db()
    row = plans.plan_of(home.organization_id)
    assert home.organization.over_quota == "" and row is not None and row.grace_until is not None
    begun = AuditEntry.objects.filter(resource_type="organizationPlan").latest("pk")
    assert begun.before == {"graceUntil": None}
    assert begun.after == {"graceUntil": row.grace_until.isoformat()}
    row.period_anchor = (timezone.now() - timedelta(days=10)).date()
    row.grace_until = timezone.now() - timedelta(minutes=1)
    row.save()
    quotas.evaluate_all()
    home.organization.refresh_from_db()
    assert "used up" in home.organization.over_quota  # and no second grace in the cycle
    row.grace_until = quotas.standing(home.organization_id).cycle.starts_at + timedelta(hours=12)
    row.save()
    quotas.evaluate_all()  # that was the grace of the cycle before
    home.organization.refresh_from_db()
    row.refresh_from_db()
    assert home.organization.over_quota == "" and row.grace_until > timezone.now()


def test_another_plan_is_told_of_anew(home: Project, store: Store, post: Post):
    for plan, limit in (("hobby", 10), ("pro", 12)):
        terms = {"included_units": limit, "hard_limit_units": limit}
        plans.change_plan(actor=SYSTEM, plan_id=plan, values=terms)
    plans.assign(actor=SYSTEM, organization=home.organization, plan_id="hobby")
    for n in range(5):
        store([root(home.id, f"t{n}", start_time=now_micros(), received_at=now_micros())])
    deliver()
    assert len(post.mails) == 2
    plans.assign(actor=SYSTEM, organization=home.organization, plan_id="pro")
    deliver()
    assert len(post.mails) == 3 and "80 %" in str(post.mails[2][1]["subject"])
    store([root(home.id, "t6", start_time=now_micros(), received_at=now_micros())])
    deliver()
    assert len(post.mails) == 4 and "100 %" in str(post.mails[3][1]["subject"])
    plans.change_plan(actor=SYSTEM, plan_id="pro", values={"included_units": 15, "hard_limit_units": 15})
    deliver()
    assert len(post.mails) == 5 and "80 %" in str(post.mails[4][1]["subject"])


def test_one_that_cannot_be_looked_at_keeps_nobody_else(
    home: Project, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    plans.change_plan(actor=SYSTEM, plan_id="hobby", values={"included_units": 2, "hard_limit_units": 2})
    others = [factories.organization() for _ in range(4)]
    everybody = [home.organization, *others]
    for each in everybody:
        plans.assign(actor=SYSTEM, organization=each, plan_id="hobby")
    looked: list[str] = []

    def evaluate(organization_id: str) -> None:
        looked.append(organization_id)
        if len(looked) == 2:
            raise DatabaseError("as planned")

    monkeypatch.setattr(quotas, "evaluate", evaluate)
    quotas.evaluate_all()
    assert set(looked) >= {each.id for each in everybody}
    assert looked[1] in caplog.text


# --- the program ------------------------------------------------------------------------------------------


async def test_a_span_that_crosses_is_told_of_while_its_sender_goes_on(sender: Sender):
    def prepare() -> Budget:
        return budget(sender.project.organization, measure="tokens", amount=Decimal(1000), thresholds=(100,))

    await asyncio.to_thread(prepare)
    attributes = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.usage_details": '{"input": 900, "output": 200}',
    }
    now = time.time_ns()
    body = otlp.request({"trace_id": bytes(range(16)), "attributes": attributes, "start": now, "end": now})
    assert (await sender.export(body)).status_code == 200
    for _ in range(200):
        if await Crossing.objects.aexists():
            break
        await asyncio.sleep(0.05)
    assert await Crossing.objects.acount() == 1
    assert await Mail.objects.acount() == 0  # nobody to tell


async def test_a_hard_limit_refuses_every_way_in_and_a_lift_opens_it(sender: Sender):
    def fill() -> None:
        Plan.objects.create(id="small", name="Small", included_units=1, hard_limit_units=1)
        plans.assign(actor=SYSTEM, organization=sender.project.organization, plan_id="small")

    assert (await sender.export(otlp.request({}))).status_code == 200
    await asyncio.to_thread(fill)
    assert (await sender.export(otlp.request({}))).status_code == 200  # passes the limit
    status = 200
    for _ in range(100):
        refused = await sender.export(otlp.request({"trace_id": b"\1" * 16}))
        status = refused.status_code
        if status == 403:
            break
        await asyncio.sleep(0.1)
    assert status == 403 and "plan Small are used up" in refused.json()["message"]
    for path, body in (
        ("ingestion", {"batch": []}),
        ("scores", {"traceId": "t", "name": "n", "value": 1}),
        ("media", {"traceId": "t"}),
    ):
        response = await post_json(sender, path, body)
        assert response.status_code == 403, path
        assert "used up" in response.json()["message"]
    assert (await sender.get("traces")).status_code == 200
    await asyncio.to_thread(lift, sender.project)
    assert (await sender.export(otlp.request({"trace_id": b"\2" * 16}))).status_code == 200


def lift(project: Project) -> None:
    """What an admin of the instance does."""
    plans.spare(actor=SYSTEM, organization=project.organization, until=datetime(2199, 1, 1, tzinfo=UTC))


async def post_json(sender: Sender, path: str, body: dict[str, Any]) -> httpx.Response:
    """To the public API."""
    headers = {"authorization": sender.authorization}
    return await sender.http.post(f"/api/public/{path}", json=body, headers=headers)


def test_why_ingestion_stopped_is_told_in_the_readers_language(home: Project):
    """Whoever changes the plan in Chinese has senders told in English, and reads Chinese."""
    with translation.override("zh-hans"):
        plans.assign(actor=SYSTEM, organization=home.organization, plan_id="hobby")
        plans.change_plan(actor=SYSTEM, plan_id="hobby", values={"included_units": 0, "hard_limit_units": 0})
    home.organization.refresh_from_db()
    assert home.organization.over_quota.startswith("The 0 units of the plan Developer are used up until")
    client = Client(headers={"accept-language": "zh-hans"})
    client.force_login(factories.user(admin=True))
    page = client.get(reverse("usage:assign-plan", args=[home.organization_id])).content.decode()
    assert "已用完" in page and "are used up" not in page
    outsider = factories.user()
    factories.services.add_member(actor=SYSTEM, organization=home.organization, user=outsider, role=Role.NONE)
    ProjectMembership.objects.create(project=home, user=outsider, role=Role.VIEWER)
    client.force_login(outsider)
    page = client.get(reverse("organizations:project-settings", args=[home.id])).content.decode()
    assert "已用完" in page and "are used up" not in page
