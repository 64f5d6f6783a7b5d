"""Sending one parcel. At least once: a sender that dies after sending sends again."""

from __future__ import annotations

import logging
import smtplib
import time

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from apps.core import outgoing
from apps.outbox.models import Mail, Webhook
from apps.outbox.services import sign

log = logging.getLogger(__name__)

_WEBHOOK_SECONDS = 10.0
_WEBHOOK_ANSWER_BYTES = 64_000
_GONE = 410  # the receiver says: never again


def deliver_mail(pk: int) -> bool:
    """Send one due mail; False when there was nothing to do or it failed (and waits for its next try)."""
    mail = Mail.objects.claim(pk)
    if mail is None:
        return False
    message = EmailMultiAlternatives(
        mail.subject, mail.text, mail.sender, [mail.recipient], headers=mail.headers
    )
    if mail.html:
        message.attach_alternative(mail.html, "text/html")
    try:
        message.connection = get_connection(settings.OUTBOX_EMAIL_BACKEND)
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        mail.failed(f"The address was refused: {codes}", for_good=all(code >= 500 for code in codes))
    except (smtplib.SMTPException, OSError, ValueError) as error:
        log.warning("mail %s failed: %s", pk, type(error).__name__)
        mail.failed(f"{type(error).__name__}: {error}", for_good=isinstance(error, ValueError))
    else:
        mail.succeeded()
        return True
    return False


def deliver_webhook(pk: int) -> bool:
    """Send one due webhook; a 2xx answer is success, everything else is tried again."""
    webhook = Webhook.objects.claim(pk)
    if webhook is None:
        return False
    headers = {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "Litefuse-Webhook",
        "x-litefuse-delivery": str(webhook.pk),
        "x-litefuse-event": webhook.event,
        "x-litefuse-signature": sign(webhook.endpoint, webhook.body, int(time.time())),
    }
    try:
        reply = outgoing.request(
            "POST",
            webhook.url,
            headers=headers,
            content=webhook.body.encode(),
            seconds=_WEBHOOK_SECONDS,
            max_bytes=_WEBHOOK_ANSWER_BYTES,
        )
    except outgoing.OutgoingRefused as refusal:
        webhook.failed(str(refusal), for_good=True)
    except outgoing.OutgoingFailed as failure:
        webhook.failed(str(failure))
    else:
        webhook.status = reply.status
        if 200 <= reply.status < 300:
            webhook.succeeded()
            return True
        webhook.failed(f"The receiver answered {reply.status}.", for_good=reply.status == _GONE)
    return False
