"""The audit log only grows."""

from __future__ import annotations

import pytest

from apps.audit import services
from apps.audit.models import AppendOnly, AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db


def test_it_keeps_who_what_before_and_after() -> None:
    user = factories.user("a@example.org")
    actor = services.person(user, ip="192.0.2.1", request_id="r1")
    services.record(
        actor,
        "update",
        "project",
        "p1",
        {"name": "old"},
        {"name": "new"},
        organization_id="o1",
        project_id="p1",
    )
    entry = AuditEntry.objects.get()
    assert (entry.actor_kind, entry.actor_id, entry.actor_label) == ("person", str(user.pk), "a@example.org")
    assert (entry.before, entry.after) == ({"name": "old"}, {"name": "new"})
    assert (entry.ip, entry.request_id, entry.organization_id) == ("192.0.2.1", "r1", "o1")


def test_an_entry_cannot_be_changed_or_removed() -> None:
    entry = services.record(services.SYSTEM, "create", "project", "p1")
    entry.action = "nothing"
    for attempt in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(action="nothing"),
        lambda: AuditEntry.objects.bulk_update([entry], ["action"]),
    ):
        with pytest.raises(AppendOnly):
            attempt()
    assert AuditEntry.objects.get().action == "create"


def test_it_outlives_the_person() -> None:
    user = factories.user("a@example.org")
    services.record(services.person(user), "create", "project", "p1")
    user.delete()
    assert AuditEntry.objects.get().actor_label == "a@example.org"
