"""Suspended ingestion: who is refused what, what is said, and who did it."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.core.errors import InvalidRequest, Suspended
from apps.organizations import authentication, services
from apps.organizations.authentication import authenticate, default_access
from apps.organizations.models import Project, Role
from tests import factories

pytestmark = pytest.mark.django_db
REASON = "The quota of November is used up."


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    authentication.forget_answers()


@pytest.fixture
def project() -> Project:
    return factories.project(name="shop")


@pytest.mark.parametrize("whole", [False, True])
def test_telemetry_is_refused_with_the_reason_and_the_rest_goes_on(project: Project, whole: bool) -> None:
    made, other = factories.key(project), factories.key(factories.project())
    tenant = project.organization if whole else project
    ways = {
        factories.basic(made): ("ingest", "scores"),
        f"Bearer {made.secret}": ("ingest", "scores"),
        f"Bearer {made.key.public_key}": ("scores",),
    }
    for header in ways:
        authenticate(header)  # remembered
    services.suspend_ingestion(actor=SYSTEM, tenant=tenant, reason=REASON)
    for header, operations in ways.items():
        for operation in operations:
            with pytest.raises(Suspended) as refused:
                authenticate(header).require(operation)
            assert refused.value.status == 403
            assert REASON in refused.value.message and "ask" in refused.value.message
    for operation in ("read", "identify", "write"):
        assert authenticate(factories.basic(made)).require(operation) == project.id
    with pytest.raises(Suspended):
        default_access(project.id).require("ingest")
    assert authenticate(factories.basic(other)).require("ingest")
    services.resume_ingestion(actor=SYSTEM, tenant=tenant)
    assert authenticate(factories.basic(made)).require("ingest") == project.id


def test_a_project_stays_suspended_with_its_organization(project: Project) -> None:
    services.suspend_ingestion(actor=SYSTEM, tenant=project.organization, reason="Not paid")
    services.suspend_ingestion(actor=SYSTEM, tenant=project, reason="Too loud")
    assert project.suspension == "Too loud."
    services.resume_ingestion(actor=SYSTEM, tenant=project)
    assert project.suspension == "Not paid."


def test_it_is_in_the_audit_log(project: Project) -> None:
    services.suspend_ingestion(actor=SYSTEM, tenant=project, reason=f"  {REASON}\n")
    services.suspend_ingestion(actor=SYSTEM, tenant=project, reason=REASON)  # changes nothing
    services.resume_ingestion(actor=SYSTEM, tenant=project)
    entries = AuditEntry.objects.filter(resource_type="project", resource_id=project.id).order_by("pk")
    assert [entry.action for entry in entries] == ["create", "suspendIngestion", "resumeIngestion"]
    assert entries[1].after == {"ingestionSuspended": REASON}
    assert entries[2].before == {"ingestionSuspended": REASON}


@pytest.mark.parametrize("reason", ["", " ", "x", "x" * 301])
def test_a_reason_is_a_sentence(project: Project, reason: str) -> None:
    with pytest.raises(InvalidRequest):
        services.suspend_ingestion(actor=SYSTEM, tenant=project, reason=reason)


def test_the_command(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("suspend_ingestion", "--project", project.id, "--reason", REASON)
    assert f"shop: ingestion is suspended: {REASON}" in capsys.readouterr().out
    call_command("suspend_ingestion", "--project", project.id, "--resume")
    call_command("suspend_ingestion", "--organization", project.organization_id, "--reason", REASON)
    assert Project.objects.select_related("organization").get(id=project.id).suspension == REASON
    for arguments in (
        ["--project", "nowhere", "--resume"],
        ["--project", project.id],
        ["--resume"],
        ["--project", project.id, "--reason", "x"],
    ):
        with pytest.raises(CommandError):
            call_command("suspend_ingestion", *arguments)


def test_the_projects_pages_say_so(project: Project) -> None:
    person: User = factories.member(project.organization, Role.VIEWER)
    client = Client()
    client.force_login(person)
    page = reverse("organizations:project-settings", args=[project.id])
    assert b"shell-notice" not in client.get(page).content
    services.suspend_ingestion(actor=SYSTEM, tenant=project, reason="<b>Quota</b> used up")
    text = client.get(page).content.decode()
    assert "Ingestion is suspended: &lt;b&gt;Quota&lt;/b&gt; used up." in text
