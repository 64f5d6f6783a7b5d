"""Mail through the outbox: stored with its transaction, delivered once, retried, given up in the end."""

from __future__ import annotations

import smtplib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core import mail as django_mail
from django.core.mail import send_mail
from django.core.mail.backends.locmem import EmailBackend as MemoryBackend
from django.db import connection, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from apps.outbox import delivery, services, tasks
from apps.outbox.models import LEASE, MAX_ATTEMPTS, Mail, State

pytestmark = pytest.mark.django_db


class DownBackend(MemoryBackend):
    """A mail server that is away."""

    def send_messages(self, messages) -> int:
        raise smtplib.SMTPServerDisconnected("gone")


class RefusingBackend(MemoryBackend):
    """A mail server that knows nobody."""

    def send_messages(self, messages) -> int:
        raise smtplib.SMTPRecipientsRefused({"a@example.org": (550, b"no such user")})


@pytest.fixture(autouse=True)
def _backends(settings) -> None:
    settings.EMAIL_BACKEND = "apps.outbox.mail.OutboxBackend"
    settings.OUTBOX_EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def _mail() -> Mail:
    return services.enqueue_mail(to="a@example.org", subject="Hello\nthere", text="the link", html="<p>x")


def test_it_works() -> None:
    mail = _mail()
    assert delivery.deliver_mail(mail.pk)
    [sent] = django_mail.outbox
    assert (sent.to, sent.subject, sent.body) == (["a@example.org"], "Hello there", "the link")
    assert sent.alternatives[0][1] == "text/html"
    mail.refresh_from_db()
    assert mail.state == State.SENT and mail.attempts == 1
    assert (mail.text, mail.html) == ("", "")  # links that open accounts are not kept


def test_what_django_mails_goes_through_it(django_capture_on_commit_callbacks) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        send_mail("Subject", "body", None, ["a@example.org", "b@example.org"], html_message="<b>body</b>")
    assert sorted(Mail.objects.values_list("recipient", flat=True)) == ["a@example.org", "b@example.org"]
    assert len(callbacks) == 2
    assert django_mail.outbox == []


def test_a_mail_is_not_sent_twice() -> None:
    mail = _mail()
    delivery.deliver_mail(mail.pk)
    assert not delivery.deliver_mail(mail.pk)
    assert len(django_mail.outbox) == 1


def test_nothing_is_sent_when_the_transaction_fails() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        _mail()
        raise ZeroDivisionError
    assert not Mail.objects.exists()


def test_a_failure_is_retried_later_and_longer_each_time(settings) -> None:
    settings.OUTBOX_EMAIL_BACKEND = f"{__name__}.DownBackend"
    mail = _mail()
    waits = []
    for attempt in range(1, MAX_ATTEMPTS + 1):
        before = timezone.now()
        assert not delivery.deliver_mail(mail.pk)
        mail.refresh_from_db()
        assert mail.attempts == attempt and "gone" in mail.last_error
        if mail.state == State.WAITING:
            waits.append(mail.next_attempt_at - before)
            assert not delivery.deliver_mail(mail.pk)  # not due
            Mail.objects.filter(pk=mail.pk).update(next_attempt_at=timezone.now())
    assert mail.state == State.DEAD and mail.text == ""
    assert waits == sorted(waits) and waits[-1] <= timedelta(hours=6, minutes=1)
    assert services.hand_over_due() == 0


def test_an_unknown_recipient_is_not_tried_again(settings) -> None:
    settings.OUTBOX_EMAIL_BACKEND = f"{__name__}.RefusingBackend"
    mail = _mail()
    assert not delivery.deliver_mail(mail.pk)
    mail.refresh_from_db()
    assert mail.state == State.DEAD and "550" in mail.last_error


def test_a_sender_that_died_keeps_the_mail_for_a_while_only() -> None:
    mail = _mail()
    assert Mail.objects.claim(mail.pk) is not None  # and dies
    assert Mail.objects.claim(mail.pk) is None
    assert not Mail.objects.due(timezone.now()).exists()
    assert Mail.objects.due(timezone.now() + LEASE).exists()


def test_a_mail_that_kills_its_sender_dies_in_the_end() -> None:
    mail = _mail()
    for _ in range(MAX_ATTEMPTS):
        assert Mail.objects.claim(mail.pk) is not None  # and dies
        Mail.objects.update(next_attempt_at=timezone.now())
    assert Mail.objects.claim(mail.pk) is None
    mail.refresh_from_db()
    assert mail.state == State.DEAD and mail.text == ""


def test_what_is_due_is_handed_over_again(monkeypatch) -> None:
    mail = _mail()
    handed = []
    monkeypatch.setattr(services, "_send", lambda *what: handed.append(what))
    assert services.hand_over_due() == 1
    assert handed == [("deliver_mail", mail.pk)]


def test_old_parcels_are_forgotten_once_settled() -> None:
    old = timezone.now() - services.KEPT - timedelta(days=1)
    waiting, sent, fresh = _mail(), _mail(), _mail()
    delivery.deliver_mail(sent.pk)
    delivery.deliver_mail(fresh.pk)
    Mail.objects.filter(pk__in=[waiting.pk, sent.pk]).update(created_at=old)
    assert services.forget_old() == 1
    assert set(Mail.objects.values_list("pk", flat=True)) == {waiting.pk, fresh.pk}


def test_without_a_broker_a_mail_waits(monkeypatch, django_capture_on_commit_callbacks) -> None:
    def away(*args: object, **kwargs: object) -> None:
        raise OperationalError("no broker")

    monkeypatch.setattr(tasks.deliver_mail, "apply_async", away)
    with django_capture_on_commit_callbacks(execute=True):
        mail = _mail()
    assert Mail.objects.due(timezone.now()).filter(pk=mail.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_senders_one_sends() -> None:
    mail = _mail()
    together = threading.Barrier(4)

    def send() -> bool:
        together.wait()
        try:
            return delivery.deliver_mail(mail.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as senders:
        results = [future.result() for future in [senders.submit(send) for _ in range(4)]]
    assert sorted(results) == [False, False, False, True]
    assert len(django_mail.outbox) == 1
