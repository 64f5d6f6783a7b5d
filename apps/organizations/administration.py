"""Changes that organization keys and the instance's own key may make besides those of `services`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.audit import services as audit
from apps.audit.services import Actor
from apps.core.errors import Forbidden, InvalidRequest, NotFound
from apps.organizations import services
from apps.organizations.authentication import forget_answers
from apps.organizations.entitlements import require_retention
from apps.organizations.models import Membership, Organization, Project, ProjectMembership, Role

LEAST_RETENTION = 3  # days
MOST_RETENTION = 36_500

# Each settles what an organization leaves behind, in the transaction that deletes it, or raises.
_leaving: list[Callable[[Organization], None]] = []


def register_leaving(settle: Callable[[Organization], None]) -> None:
    """Have this asked before an organization is deleted; for `AppConfig.ready`. Twice is as good as once."""
    if settle not in _leaving:
        _leaving.append(settle)


def update_project(
    *, actor: Actor, project: Project, name: str, metadata: Mapping[str, Any] | None, retention: int | None
) -> Project:
    """Change name, metadata and retention (days, 0 for good); None leaves as it is."""
    name = services.check_name(name)
    if retention is not None and 0 < retention < LEAST_RETENTION:
        raise InvalidRequest(f"retention is 0 (for good) or at least {LEAST_RETENTION} days.")
    if retention and retention != project.retention_days:
        require_retention(project.organization_id, retention)
    before = _facts(project)
    if name != project.name:
        services.check_project_name_free(project.organization, name)
    project.name = name
    if metadata is not None:
        project.metadata = dict(metadata)
    if retention is not None:
        project.retention_days = retention
    after = _facts(project)
    if after != before:
        with services.conflict_as(services.taken(name)), transaction.atomic():
            project.save(update_fields=["name", "metadata", "retention_days", "updated_at"])
            services.record(actor, "update", project, before=before, after=after)
    return project


def create_project(
    *, actor: Actor, organization: Organization, name: str, metadata: Mapping[str, Any] | None, retention: int
) -> Project:
    """A new project with all that it may have from the start."""
    with transaction.atomic():
        project = services.create_project(actor=actor, organization=organization, name=name)
        return update_project(actor=actor, project=project, name=name, metadata=metadata, retention=retention)


def _facts(project: Project) -> dict[str, object]:
    return {"name": project.name, "metadata": project.metadata, "retentionDays": project.retention_days}


def delete_project(*, actor: Actor, project: Project) -> None:
    """Let a project vanish: for everybody at once, within authentication.CACHE_SECONDS for keys in other
    processes. What it holds is erased later (`erasing`), as often as that takes."""
    with transaction.atomic():
        now = timezone.now()
        if Project.objects.filter(pk=project.pk).update(deleted_at=now, updated_at=now):
            services.record(actor, "delete", project, before=_facts(project))
            transaction.on_commit(forget_answers)


def update_organization(
    *, actor: Actor, organization: Organization, name: str, metadata: Mapping[str, Any] | None
) -> Organization:
    """Change name and metadata; None leaves them as they are."""
    name = services.check_name(name)
    before: dict[str, object] = {"name": organization.name, "metadata": organization.metadata}
    organization.name = name
    if metadata is not None:
        organization.metadata = dict(metadata)
    after: dict[str, object] = {"name": name, "metadata": organization.metadata}
    if after != before:
        with transaction.atomic():
            organization.save(update_fields=["name", "metadata", "updated_at"])
            services.record(actor, "update", organization, before=before, after=after)
    return organization


def delete_organization(*, actor: Actor, organization: Organization) -> None:
    """Delete an organization that has no projects; those just deleted count until they are erased."""
    with transaction.atomic():
        Organization.objects.select_for_update().get(pk=organization.pk)
        if Project.everything.filter(organization=organization).exists():
            raise InvalidRequest(
                "The organization has projects, or some that are still being erased. Delete those first, and"
                " come back a few minutes later."
            )
        for settle in _leaving:
            settle(organization)
        services.record(actor, "delete", organization, before={"name": organization.name})
        organization.delete()
        transaction.on_commit(forget_answers)


# --- who belongs to an organization, and to a project ---------------------------------------------------


def person_of(organization: Organization, user_id: str) -> User:
    """A person by id, when a member of the organization, or by e-mail address. NotFound otherwise: ids are
    counted, and must not lead to people of others."""
    people = User.objects.filter(is_active=True)
    if "@" in user_id:
        found = people.filter(email=user_id.strip().lower()).first()
    elif user_id.isascii() and user_id.isdigit() and len(user_id) < 19:
        found = people.filter(pk=int(user_id), memberships__organization=organization).first()
    else:
        found = None
    if found is None:
        raise NotFound(
            "User not found. Give the id of a member, or the e-mail address of somebody with an account."
        )
    return found


def set_role(*, actor: Actor, organization: Organization, user: User, role: Role) -> None:
    """Give a person a role in the organization; whoever is no member yet becomes one."""
    with transaction.atomic():
        membership = _members(organization).filter(user=user).first()
        if membership is None:
            services.add_member(actor=actor, organization=organization, user=user, role=role)
        elif membership.role != role:
            if role != Role.OWNER:
                _check_not_last_owner(membership)
            before, membership.role = membership.role, role
            membership.save(update_fields=["role"])
            _record(actor, "update", "membership", organization, None, user, before, role)


def remove_member(*, actor: Actor, organization: Organization, user: User) -> None:
    """End a person's membership, and their roles in the organization's projects with it."""
    with transaction.atomic():
        membership = _members(organization).filter(user=user).first()
        if membership is None:
            raise NotFound("This person is no member of the organization.")
        _check_not_last_owner(membership)
        ProjectMembership.objects.filter(project__organization=organization, user=user).delete()
        membership.delete()
        _record(actor, "delete", "membership", organization, None, user, membership.role, None)


def set_project_role(*, actor: Actor, project: Project, user: User, role: Role) -> None:
    """Give a member of the organization a role of their own in a project."""
    with transaction.atomic():
        if not Membership.objects.filter(organization=project.organization_id, user=user).exists():
            raise NotFound("This person is no member of the organization. Make them one first.")
        before = ProjectMembership.objects.filter(project=project, user=user).first()
        if before is None or before.role != role:
            ProjectMembership.objects.update_or_create(project=project, user=user, defaults={"role": role})
            _record(
                actor, "update" if before else "create", "projectMembership", project.organization,
                project, user, before.role if before else None, role,
            )  # fmt: skip


def remove_project_role(*, actor: Actor, project: Project, user: User) -> None:
    """Let a person have in a project what they have in the organization."""
    with transaction.atomic():
        membership = ProjectMembership.objects.filter(project=project, user=user).first()
        if membership is None:
            raise NotFound("This person has no role of their own in the project.")
        membership.delete()
        _record(
            actor, "delete", "projectMembership", project.organization, project, user, membership.role, None,
        )  # fmt: skip


def _members(organization: Organization) -> Any:
    """Locked, so that two owners cannot leave at the same moment."""
    Organization.objects.select_for_update().get(pk=organization.pk)
    return Membership.objects.filter(organization=organization)


def _check_not_last_owner(membership: Membership) -> None:
    if membership.role != Role.OWNER:
        return
    owners = Membership.objects.filter(organization=membership.organization_id, role=Role.OWNER)
    if owners.count() == 1:
        raise Forbidden("An organization keeps at least one OWNER. Make somebody else one first.")


def _record(
    actor: Actor,
    action: str,
    kind: str,
    organization: Organization,
    project: Project | None,
    user: User,
    before: str | None,
    after: str | None,
) -> None:
    whom = {"userId": str(user.pk), "email": user.email}
    audit.record(
        actor,
        action,
        kind,
        str(user.pk),
        None if before is None else {**whom, "role": str(before)},
        None if after is None else {**whom, "role": str(after)},
        organization_id=organization.id,
        project_id=project.id if project else None,
    )
