"""Headless set-up from the environment, the same at every start."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.core.errors import ApiError, Conflict, InvalidRequest
from apps.organizations import administration, services
from apps.organizations.authentication import authenticate, forget_answers
from apps.organizations.models import ApiKey, Membership, Organization, Project
from apps.organizations.provisioning import provision
from tests import factories

pytestmark = pytest.mark.django_db

ALL = {
    "ORG_ID": "acme",
    "ORG_NAME": "Acme",
    "PROJECT_ID": "acme-chat",
    "PROJECT_NAME": "Chat",
    "PROJECT_PUBLIC_KEY": "pk-lf-provisioned",
    "PROJECT_SECRET_KEY": "sk-lf-provisioned",
    "USER_EMAIL": "Ops@example.org",
    "USER_NAME": "Ops",
    "USER_PASSWORD": "analytical-engine-1843",
}


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    forget_answers()


def _counts() -> tuple[int, ...]:
    return tuple(
        model.objects.count() for model in (User, Organization, Membership, Project, ApiKey, AuditEntry)
    )


def test_it_works_and_repeating_changes_nothing() -> None:
    provision(ALL)
    key = ApiKey.objects.get()
    assert (key.project_id, key.organization_id) == ("acme-chat", "acme")
    user = User.objects.get()
    assert user.email == "ops@example.org" and user.is_superuser and user.check_password(ALL["USER_PASSWORD"])
    assert Membership.objects.get().role == "OWNER"
    access = authenticate("Basic cGstbGYtcHJvdmlzaW9uZWQ6c2stbGYtcHJvdmlzaW9uZWQ=")
    assert access.project_id == "acme-chat"
    before = _counts()
    provision(ALL)
    assert _counts() == before


def test_what_people_changed_since_stays() -> None:
    provision(ALL)
    services.rename_project(actor=SYSTEM, project=Project.objects.get(), name="Front desk")
    services.revoke_key(actor=SYSTEM, key=ApiKey.objects.get())
    provision(ALL)
    assert Project.objects.get().name == "Front desk"
    assert ApiKey.objects.get().revoked_at is not None


def test_a_deleted_project_is_left_to_be_erased() -> None:
    provision(ALL)
    administration.delete_project(actor=SYSTEM, project=Project.objects.get())
    provision(ALL)
    assert not Project.objects.exists()


def test_nothing_asked_nothing_made() -> None:
    provision(dict.fromkeys(ALL, ""))
    assert set(_counts()) == {0}


def test_parts_of_it() -> None:
    provision({"ORG_ID": "acme", "PROJECT_ID": "chat"})
    assert (Organization.objects.get().name, Project.objects.get().name) == ("Provisioned", "Provisioned")
    assert not ApiKey.objects.exists() and not User.objects.exists()


def test_a_second_user_is_no_admin_and_an_old_one_is_not_touched() -> None:
    factories.user(admin=True)
    old = factories.user("ops@example.org", password="their-own-password")
    provision(ALL)
    old.refresh_from_db()
    assert old.check_password("their-own-password") and not old.is_superuser
    assert Membership.objects.get().user == old


@pytest.mark.parametrize(
    "missing", ["ORG_ID", "PROJECT_ID", "PROJECT_SECRET_KEY", "PROJECT_PUBLIC_KEY", "USER_PASSWORD"]
)
def test_half_a_wish_is_refused(missing: str) -> None:
    with pytest.raises(InvalidRequest, match=f"LITEFUSE_INIT_{missing}"):
        provision({**ALL, missing: ""})
    assert set(_counts()) == {0}


@pytest.mark.parametrize(
    "changes",
    [
        {"PROJECT_PUBLIC_KEY": "my:key"},
        {"PROJECT_PUBLIC_KEY": "my key"},
        {"PROJECT_SECRET_KEY": "sk-lf-a:b-c-d"},
        {"ORG_NAME": "x"},
        {"ORG_ID": "a/b"},
        {"PROJECT_ID": "x" * 65},
    ],
)
def test_bad_values_are_refused_whole(changes: dict[str, str]) -> None:
    with pytest.raises(ApiError):
        provision({**ALL, **changes})
    assert set(_counts()) == {0}


def test_keys_of_an_older_installation_are_taken_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    provision({**ALL, "PROJECT_PUBLIC_KEY": "public", "PROJECT_SECRET_KEY": "secret"})
    assert "api key public" in caplog.text and "secret:" not in caplog.text
    basic = base64.b64encode(b"public:secret").decode()
    assert authenticate(f"Basic {basic}").project_id == authenticate("Bearer public:secret").project_id
    assert ApiKey.objects.get().secret_hint == ""  # of a short one the end would say too much
    caplog.clear()
    provision({**ALL, "PROJECT_PUBLIC_KEY": "public", "PROJECT_SECRET_KEY": "secret"})
    assert "begins with" not in caplog.text


def test_contradictions_are_refused() -> None:
    provision(ALL)
    with pytest.raises(Conflict, match="secret"):
        provision({**ALL, "PROJECT_SECRET_KEY": "sk-lf-another"})
    with pytest.raises(Conflict):
        provision({**ALL, "ORG_ID": "other"})
    with pytest.raises(Conflict):
        provision({**ALL, "PROJECT_ID": "other", "PROJECT_NAME": "Other"})


def test_the_command(settings) -> None:
    settings.PROVISION = ALL
    call_command("provision")
    assert Project.objects.get().id == "acme-chat"
    settings.PROVISION = {**ALL, "PROJECT_SECRET_KEY": "sk-lf-another"}
    with pytest.raises(CommandError, match="LITEFUSE_INIT_PROJECT_SECRET_KEY"):
        call_command("provision")


def test_both_spellings_of_the_names(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "LITEFUSE_DATA_DIR": str(tmp_path),
        "LANGFUSE_INIT_ORG_ID": "theirs",
        "LANGFUSE_INIT_ORG_NAME": "Theirs",
        "LITEFUSE_INIT_ORG_ID": "ours",
        "DJANGO_SETTINGS_MODULE": "litefuse_web.settings",
    }
    code = "from django.conf import settings as s; print(s.PROVISION['ORG_ID'], s.PROVISION['ORG_NAME'])"
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["ours", "Theirs"]
