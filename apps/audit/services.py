"""Writing to the audit log. Called by every service that changes something, in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from apps.audit.models import AuditEntry


class Person(Protocol):
    """What the log needs of a user."""

    pk: Any
    email: str


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change: a person, an API key, or the program itself."""

    kind: AuditEntry.Kind
    id: str = ""
    label: str = ""  # the person's address, or the key's public half
    ip: str | None = None
    request_id: str = ""


SYSTEM = Actor(AuditEntry.Kind.SYSTEM, label="system")


def person(user: Person, *, ip: str | None = None, request_id: str = "") -> Actor:
    """A signed-in person as actor."""
    return Actor(AuditEntry.Kind.PERSON, str(user.pk), user.email, ip, request_id)


def record(
    actor: Actor,
    action: str,
    resource_type: str,
    resource_id: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    organization_id: str | None = None,
    project_id: str | None = None,
) -> AuditEntry:
    """Append one change. `before` and `after` hold plain JSON of what changed, never a secret."""
    return AuditEntry.objects.create(
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label,
        organization_id=organization_id or "",
        project_id=project_id or "",
        action=action,
        resource_type=resource_type,
        resource_id=resource_id,
        before=dict(before) if before is not None else None,
        after=dict(after) if after is not None else None,
        request_id=actor.request_id,
        ip=actor.ip,
    )
