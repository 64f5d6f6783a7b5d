"""What an organization's plan lets it have. The room that knows of plans says so (`register`); until it does,
everything is unlimited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.errors import Forbidden
from apps.organizations.models import Membership, Organization


@dataclass(frozen=True, slots=True)
class Entitlements:
    """None is as much as one likes."""

    members: int | None = None
    retention_days: int | None = None


_sources: list[Callable[[str], Entitlements]] = []


def register(source: Callable[[str], Entitlements]) -> None:
    """Have `source` asked what an organization (its id) may have; once, when the program starts."""
    _sources.append(source)


def entitlements_of(organization_id: str) -> Entitlements:
    """What an organization may have."""
    return _sources[-1](organization_id) if _sources else Entitlements()


def require_seat(organization_id: str, user: User) -> None:
    """Raise Forbidden when the plan has no room for another member. Inside the transaction that adds them:
    until its end nobody else takes the seat."""
    most = entitlements_of(organization_id).members
    if most is not None:
        Organization.objects.select_for_update().get(pk=organization_id)
    members = Membership.objects.filter(organization=organization_id)
    if most is None or members.filter(user=user).exists() or members.count() < most:
        return
    raise Forbidden(
        _("The plan has room for %(most)s members. Remove one, or change the plan.") % {"most": most}
    )


def require_retention(organization_id: str, days: int) -> None:
    """Raise Forbidden when the plan does not keep traces for so many days. 0 is as long as the plan does."""
    most = entitlements_of(organization_id).retention_days
    if most is not None and days > most:
        raise Forbidden(
            _("The plan keeps traces for at most %(most)s days. Choose fewer, or change the plan.")
            % {"most": most}
        )
