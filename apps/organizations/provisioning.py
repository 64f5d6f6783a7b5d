"""Headless set-up from the environment: organization, project, key and user, the same at every start.

What exists is left as people have made it since: a renamed project keeps its name, a revoked key stays
revoked. A key is found by its public half; another secret for it is refused rather than ignored.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.services import create_user, make_instance_admin
from apps.audit.services import SYSTEM
from apps.core.errors import Conflict, InvalidRequest
from apps.organizations import services
from apps.organizations.authentication import PUBLIC_PREFIX, SECRET_PREFIX, hash_secret
from apps.organizations.models import ApiKey, Membership, Organization, Project, Role

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the environment asks for; empty text where it does not."""

    org_id: str = ""
    org_name: str = ""
    project_id: str = ""
    project_name: str = ""
    project_public_key: str = ""
    project_secret_key: str = ""
    user_email: str = ""
    user_name: str = ""
    user_password: str = ""


def wanted(values: Mapping[str, str]) -> Wanted:
    """What settings.PROVISION asks for (names without LITEFUSE_INIT_); InvalidRequest when some lacks."""
    want = Wanted(**{name.lower(): value.strip() for name, value in values.items()})
    for given, needed in (
        ("project_id", "org_id"),
        ("project_public_key", "project_id"),
        ("project_public_key", "project_secret_key"),
        ("project_secret_key", "project_public_key"),
        ("user_email", "user_password"),
    ):
        if getattr(want, given) and not getattr(want, needed):
            raise InvalidRequest(
                f"LITEFUSE_INIT_{given.upper()} is set, so LITEFUSE_INIT_{needed.upper()} must be too."
            )
    return want


def provision(values: Mapping[str, str]) -> None:
    """Make what the environment asks for and is not there yet. Repeating it changes nothing."""
    want = wanted(values)
    with transaction.atomic():
        user = _user(want)
        organization = _organization(want)
        if organization is None:
            return
        if user is not None and not Membership.objects.filter(organization=organization, user=user).exists():
            services.add_member(actor=SYSTEM, organization=organization, user=user, role=Role.OWNER)
        project = _project(want, organization)
        if project is not None and want.project_public_key:
            _key(want, project)


def _user(want: Wanted) -> User | None:
    """The person; the instance's admin when there is none, for they hold its environment."""
    if not want.user_email:
        return None
    user = User.objects.filter(email=want.user_email.lower()).first()
    if user is None:
        user = create_user(
            actor=SYSTEM, email=want.user_email, name=want.user_name, password=want.user_password
        )
        log.info("made user %s", user.pk)
        if not User.objects.filter(is_superuser=True).exists():
            make_instance_admin(actor=SYSTEM, user=user)
    return user


def _organization(want: Wanted) -> Organization | None:
    if not want.org_id:
        return None
    organization = Organization.objects.filter(id=want.org_id).first()
    if organization is None:
        organization = services.create_organization(
            actor=SYSTEM, name=want.org_name or "Provisioned", owner=None, organization_id=want.org_id
        )
        log.info("made organization %s", organization.id)
    return organization


def _project(want: Wanted, organization: Organization) -> Project | None:
    if not want.project_id:
        return None
    project = Project.everything.filter(id=want.project_id).first()
    if project is not None and project.deleted_at is not None:
        log.warning("project %s was deleted and is being erased; a later start makes it anew", project.id)
        return None
    if project is None:
        project = services.create_project(
            actor=SYSTEM,
            organization=organization,
            name=want.project_name or "Provisioned",
            project_id=want.project_id,
        )
        log.info("made project %s", project.id)
    elif project.organization_id != organization.id:
        raise Conflict("LITEFUSE_INIT_PROJECT_ID is a project of another organization.")
    return project


def _key(want: Wanted, project: Project) -> None:
    key = ApiKey.objects.filter(public_key=want.project_public_key).first()
    if key is None:
        services.create_key(
            actor=SYSTEM,
            organization=project.organization,
            project=project,
            note="Provisioned",
            public_key=want.project_public_key,
            secret_key=want.project_secret_key,
            any_form=True,
        )
        log.info("made api key %s", want.project_public_key)
        if not _looks_like_ours(want):
            log.warning(
                "api key %s: a public key begins with %s, a secret key with %s, and more than five characters"
                " follow; this one opens with both halves in Authorization, not as 'token' of a resource, in"
                " another header, or by its secret alone",
                want.project_public_key,
                PUBLIC_PREFIX,
                SECRET_PREFIX,
            )
    elif key.project_id != project.id:
        raise Conflict("LITEFUSE_INIT_PROJECT_PUBLIC_KEY is a key of another project.")
    elif not hmac.compare_digest(key.secret_hash, hash_secret(want.project_secret_key)):
        raise Conflict(
            "LITEFUSE_INIT_PROJECT_SECRET_KEY is not the secret of LITEFUSE_INIT_PROJECT_PUBLIC_KEY."
            " Give a new pair instead."
        )


def _looks_like_ours(want: Wanted) -> bool:
    halves = (want.project_public_key, PUBLIC_PREFIX), (want.project_secret_key, SECRET_PREFIX)
    return all(half.startswith(prefix) and len(half) > len(prefix) + 5 for half, prefix in halves)
