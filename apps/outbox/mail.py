"""Django's EMAIL_BACKEND: whatever the program mails, accounts included, goes through the outbox."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction

from apps.outbox.services import enqueue_mail


class OutboxBackend(BaseEmailBackend):
    """Stores messages as rows instead of sending them."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """All of them or none; returns how many. Each recipient gets a mail of their own."""
        with transaction.atomic():
            for message in email_messages:
                for recipient in message.recipients():
                    enqueue_mail(
                        to=recipient,
                        subject=str(message.subject),
                        text=str(message.body),
                        html=_html(message),
                        sender=message.from_email,
                        headers=message.extra_headers,
                    )
        return len(email_messages)


def _html(message: EmailMessage) -> str:
    """The HTML alternative, if the message has one."""
    if isinstance(message, EmailMultiAlternatives):
        for content, mimetype in message.alternatives:
            if mimetype == "text/html":
                return str(content)
    return ""
