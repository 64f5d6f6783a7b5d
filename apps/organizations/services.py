"""Everything that changes organizations, projects and keys: check, then do, then write it down."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audit import services as audit
from apps.audit.services import Actor
from apps.core.errors import Conflict, InvalidRequest
from apps.core.ids import is_tenant_id
from apps.organizations import entitlements, limits
from apps.organizations.authentication import PUBLIC_PREFIX, SECRET_PREFIX, forget_answers, hash_secret
from apps.organizations.models import (
    SUSPENSION_LENGTH,
    ApiKey,
    KeyScope,
    Membership,
    Organization,
    Project,
    Role,
)

NAME_LENGTHS = (3, 60)
NOTE_LENGTH = 200
_KEY_FORM = re.compile(r"[\x21-\x39\x3b-\x7e]{6,94}")  # after the prefix; visible ASCII without a colon
_ANY_KEY_FORM = re.compile(r"[\x21-\x39\x3b-\x7e]{1,100}")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. The secret exists here and nowhere else."""

    key: ApiKey
    secret: str


def create_organization(
    *, actor: Actor, name: str, owner: User | None, organization_id: str | None = None
) -> Organization:
    """A new organization; `owner`, when given, becomes its OWNER."""
    name = check_name(name)
    with transaction.atomic():
        organization = Organization(name=name)
        if organization_id:
            organization.id = _check_id(organization_id)
        organization.save(force_insert=True)
        record(actor, "create", organization, after={"name": name})
        if owner is not None:
            add_member(actor=actor, organization=organization, user=owner, role=Role.OWNER)
    return organization


def rename_organization(*, actor: Actor, organization: Organization, name: str) -> Organization:
    """Give the organization another name."""
    name, before = check_name(name), organization.name
    if name == before:
        return organization
    with transaction.atomic():
        organization.name = name
        organization.save(update_fields=["name", "updated_at"])
        record(actor, "update", organization, before={"name": before}, after={"name": name})
    return organization


def suspend_ingestion(*, actor: Actor, tenant: Organization | Project, reason: str) -> None:
    """Refuse the telemetry of a project, or of all projects of an organization, telling senders and readers
    the reason; within CACHE_SECONDS everywhere. Suspending again changes the reason."""
    reason = " ".join(reason.split())
    if not 3 <= len(reason) <= SUSPENSION_LENGTH:
        raise InvalidRequest(
            _("Say in 3 to %(most)s characters why ingestion is suspended.") % {"most": SUSPENSION_LENGTH}
        )
    _set_suspension(actor, tenant, reason if reason.endswith((".", "。", "!", "?")) else f"{reason}.")


def resume_ingestion(*, actor: Actor, tenant: Organization | Project) -> None:
    """Take telemetry again. A project stays suspended while its organization is."""
    _set_suspension(actor, tenant, "")


def _set_suspension(actor: Actor, tenant: Organization | Project, reason: str) -> None:
    before = tenant.ingestion_suspended
    if reason == before:
        return
    with transaction.atomic():
        tenant.ingestion_suspended = reason
        tenant.save(update_fields=["ingestion_suspended", "updated_at"])
        record(
            actor,
            "suspendIngestion" if reason else "resumeIngestion",
            tenant,
            before={"ingestionSuspended": before},
            after={"ingestionSuspended": reason},
        )
    forget_answers()


def change_limits(
    *, actor: Actor, organization: Organization, plan: str, own: Mapping[str, list[int] | None]
) -> None:
    """Set how often an organization may call the API: its plan (limits.PLANS, or empty for the instance's)
    and limits of its own by resource, [count, seconds] or None for none."""
    if plan and plan not in limits.PLANS:
        raise InvalidRequest(f"There is no plan {plan}. Choose one of: {', '.join(limits.PLANS)}.")
    for resource, limit in own.items():
        if resource not in limits.RESOURCES:
            raise InvalidRequest(f"There is no resource {resource}.")
        if limit is not None and not all(0 < part < 10**9 for part in limit):
            raise InvalidRequest("A limit is a count and seconds, both at least 1.")
    before = {"plan": organization.plan, "rateLimits": organization.rate_limits}
    after: dict[str, object] = {"plan": plan, "rateLimits": dict(own)}
    if before == after:
        return
    with transaction.atomic():
        organization.plan, organization.rate_limits = plan, dict(own)
        organization.save(update_fields=["plan", "rate_limits", "updated_at"])
        record(actor, "updateLimits", organization, before=before, after=after)
        transaction.on_commit(forget_answers)


def add_member(*, actor: Actor, organization: Organization, user: User, role: Role) -> Membership:
    """Make a person a member. One who is a member already is a Conflict; Forbidden when the plan is full."""
    with transaction.atomic():
        entitlements.require_seat(organization.id, user)
        membership, made = Membership.objects.get_or_create(
            organization=organization, user=user, defaults={"role": role}
        )
        if not made:
            raise Conflict(_("%(email)s is a member already.") % {"email": user.email})
        audit.record(
            actor,
            "create",
            "membership",
            str(membership.pk),
            after={"userId": str(user.pk), "email": user.email, "role": str(role)},
            organization_id=organization.id,
        )
    return membership


def take_over_ownerless(*, actor: Actor, admin: User) -> bool:
    """Make an instance admin the OWNER of organizations that have no member at all; True if there were any.

    The program makes such ones before anybody has signed up: by provisioning, or as the demo.
    """
    ownerless = list(Organization.objects.filter(memberships=None))
    for organization in ownerless:
        add_member(actor=actor, organization=organization, user=admin, role=Role.OWNER)
    return bool(ownerless)


def create_project(
    *, actor: Actor, organization: Organization, name: str, project_id: str | None = None
) -> Project:
    """A new project; a name that the organization has used is a Conflict."""
    name = check_name(name)
    check_project_name_free(organization, name)
    project = Project(organization=organization, name=name)
    if project_id:
        project.id = _check_id(project_id)
    with conflict_as(taken(name)), transaction.atomic():
        project.save(force_insert=True)
        record(actor, "create", project, after={"name": name})
    return project


def rename_project(*, actor: Actor, project: Project, name: str) -> Project:
    """Give the project another name; one that the organization has used is a Conflict."""
    name, before = check_name(name), project.name
    if name == before:
        return project
    check_project_name_free(project.organization, name)
    with conflict_as(taken(name)), transaction.atomic():
        project.name = name
        project.save(update_fields=["name", "updated_at"])
        record(actor, "update", project, before={"name": before}, after={"name": name})
    return project


def create_key(
    *,
    actor: Actor,
    organization: Organization,
    project: Project | None,
    created_by: User | None = None,
    scope: str = KeyScope.FULL,
    note: str = "",
    expires_at: datetime | None = None,
    public_key: str | None = None,
    secret_key: str | None = None,
    any_form: bool = False,
) -> NewKey:
    """A new key of `project`, or of the whole organization when that is None.

    Both halves are made here unless both are given (provisioning, administration by API); in `any_form` those
    that an installation had before need not look like ours.
    """
    public_key, secret = _halves(public_key, secret_key, any_form=any_form)
    note = _check_note(note)
    if scope not in KeyScope.values:
        raise InvalidRequest(
            _("Unknown key scope. Choose one of: %(all)s.") % {"all": ", ".join(KeyScope.values)}
        )
    if project is None and scope == KeyScope.INGEST:
        raise InvalidRequest(_("A key of an organization ingests nothing. Make a key of a project."))
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidRequest(_("The expiry has passed already. Choose a later one."))
    key = ApiKey(
        organization=organization,
        project=project,
        public_key=public_key,
        secret_hash=hash_secret(secret),
        secret_hint=secret[-4:] if len(secret) >= 12 else "",
        scope=scope,
        note=note,
        created_by=created_by,
        expires_at=expires_at,
    )
    with conflict_as(_("An API key with this public or secret key exists already.")), transaction.atomic():
        key.save(force_insert=True)
        record(actor, "create", key, after=_key_facts(key))
        transaction.on_commit(forget_answers)
    return NewKey(key, secret)


def revoke_key(*, actor: Actor, key: ApiKey) -> None:
    """End a key: at once in this process, within authentication.CACHE_SECONDS in every other."""
    with transaction.atomic():
        now = timezone.now()
        if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
            return  # revoked before: nothing changes, nothing to write down
        key.revoked_at = now
        record(actor, "revoke", key, before=_key_facts(key))
        transaction.on_commit(forget_answers)


def check_name(name: str) -> str:
    """A name for people to read, spaces tidied; InvalidRequest when it is none."""
    name = " ".join(name.split())
    least, most = NAME_LENGTHS
    if not least <= len(name) <= most:
        raise InvalidRequest(
            _("A name has %(least)d to %(most)d characters; this one has %(length)d.")
            % {"least": least, "most": most, "length": len(name)}
        )
    if not name.isprintable():
        raise InvalidRequest(_("A name cannot hold control characters."))
    return name


def _check_id(id_: str) -> str:
    if not is_tenant_id(id_):
        raise InvalidRequest(_("An id has 1 to 64 letters, digits, hyphens, underscores, dots or colons."))
    return id_


def _check_note(note: str) -> str:
    note = " ".join(note.split())
    if len(note) > NOTE_LENGTH:
        raise InvalidRequest(_("A note has at most %(most)d characters.") % {"most": NOTE_LENGTH})
    if not note.isprintable():
        raise InvalidRequest(_("A note cannot hold control characters."))
    return note


def check_project_name_free(organization: Organization, name: str) -> None:
    if Project.objects.filter(organization=organization, name=name).exists():
        raise Conflict(taken(name))


def taken(name: str) -> str:
    return _("The organization has a project named “%(name)s” already.") % {"name": name}


def _halves(public_key: str | None, secret_key: str | None, *, any_form: bool) -> tuple[str, str]:
    """Public and secret key: new ones, or the given ones checked."""
    if public_key is None and secret_key is None:
        return f"{PUBLIC_PREFIX}{uuid.uuid4()}", f"{SECRET_PREFIX}{uuid.uuid4()}"
    if public_key is None or secret_key is None:
        raise InvalidRequest(_("Give both the public and the secret key, or neither."))
    for value, prefix in ((public_key, PUBLIC_PREFIX), (secret_key, SECRET_PREFIX)):
        if any_form:
            if not _ANY_KEY_FORM.fullmatch(value):
                raise InvalidRequest(_("A key has 1 to 100 visible ASCII characters, and no colon."))
            continue
        if not value.startswith(prefix) or not _KEY_FORM.fullmatch(value.removeprefix(prefix)):
            raise InvalidRequest(
                _("A given key starts with “%(prefix)s” and goes on with 6 to 94 visible ASCII characters.")
                % {"prefix": prefix}
            )
    return public_key, secret_key


def _key_facts(key: ApiKey) -> dict[str, object]:
    """What the log keeps of a key."""
    return {
        "publicKey": key.public_key,
        "scope": str(key.scope),
        "note": key.note,
        "expiresAt": key.expires_at.isoformat() if key.expires_at else None,
    }


@contextmanager
def conflict_as(message: str) -> Iterator[None]:
    """Turn a broken unique constraint into Conflict: two requests passed the check at once."""
    try:
        yield
    except IntegrityError as error:
        raise Conflict(message) from error


def record(
    actor: Actor,
    action: str,
    resource: Organization | Project | ApiKey,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    """Append to the audit log, filed under the tenant of what changed."""
    organization_id = resource.id if isinstance(resource, Organization) else resource.organization_id
    if isinstance(resource, Project):
        project_id: str | None = resource.id
    else:
        project_id = resource.project_id if isinstance(resource, ApiKey) else None
    kind = {Organization: "organization", Project: "project", ApiKey: "apiKey"}[type(resource)]
    audit.record(
        actor,
        action,
        kind,
        resource.id,
        before,
        after,
        organization_id=organization_id,
        project_id=project_id,
    )
