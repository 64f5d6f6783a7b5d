"""Everything that changes an account, apart from what allauth does itself."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audit import services as audit
from apps.audit.services import Actor
from apps.core.errors import Conflict, InvalidRequest

NAME_LENGTH = 100


def rename_user(*, actor: Actor, user: User, name: str) -> None:
    """Give the person another name."""
    name, before = check_person_name(name), user.name
    if name == before:
        return
    with transaction.atomic():
        user.name = name
        user.save(update_fields=["name"])
        audit.record(actor, "update", "user", str(user.pk), {"name": before}, {"name": name})


def create_user(*, actor: Actor, email: str, name: str, password: str) -> User:
    """An account made by the program (provisioning), not by its owner; a known address is a Conflict."""
    if User.objects.filter(email=email.lower()).exists():
        raise Conflict(_("%(email)s has an account already.") % {"email": email})
    with transaction.atomic():
        user = User.objects.create_user(email, password, name=check_person_name(name) if name else "")
        # Whoever runs the instance vouches for the address.
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        audit.record(actor, "create", "user", str(user.pk), after={"email": user.email})
    return user


def make_instance_admin(*, actor: Actor, user: User) -> None:
    """Let the person run the instance."""
    with transaction.atomic():
        user.is_staff = user.is_superuser = True
        user.save(update_fields=["is_staff", "is_superuser"])
        audit.record(actor, "update", "user", str(user.pk), {"instanceAdmin": False}, {"instanceAdmin": True})


def check_person_name(name: str) -> str:
    """A person's name, spaces tidied. No addresses: names stand in mails to others, where they would be
    links."""
    name = " ".join(name.split())
    if not name or len(name) > NAME_LENGTH:
        raise InvalidRequest(_("A name has 1 to %(most)d characters.") % {"most": NAME_LENGTH})
    if not name.isprintable() or "://" in name or "www." in name.lower():
        raise InvalidRequest(_("A name cannot hold control characters or web addresses."))
    return name
