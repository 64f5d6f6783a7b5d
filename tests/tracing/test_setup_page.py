"""The page that waits for the first trace, and the programs it offers to copy."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys

import httpx
import pytest
from django.test import Client

from apps.accounts.models import User
from apps.organizations.models import Organization, Project
from apps.tracing.highlight import highlight
from apps.tracing.snippets import SNIPPETS, Snippet
from apps.tracing.writer import Writer
from tests import factories
from tests.support.server import ServerProcess
from tests.tracing.spans import root

KEYS = ("pk-lf-first-steps", "sk-lf-first-steps")


def _as(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def organization(db: None) -> Organization:
    return factories.organization(owner=factories.user("owner@example.org"))


@pytest.fixture
def project(organization: Organization) -> Project:
    return factories.project(organization)


def test_it_waits_and_offers_a_key(project: Project) -> None:
    client = _as(User.objects.get(email="owner@example.org"))
    page = client.get(f"/project/{project.id}/traces/setup").content.decode()
    assert "data-live-first-trace" in page and "data-arrived" not in page
    assert f'hx-post="/project/{project.id}/settings/api-keys/create"' in page
    assert "style=" not in page
    for snippet in SNIPPETS:
        assert f'id="snippet-{snippet.id}"' in page


def test_the_card_flips_once_a_trace_is_stored(project: Project, writer: Writer) -> None:
    client = _as(factories.member(project.organization, "VIEWER"))
    path = f"/project/{project.id}/traces/setup/first-trace"
    assert "data-arrived" not in client.get(path).content.decode()
    writer.commit([root(project.id, "a/b c", name="<hello>")])
    card = client.get(path)
    text = card.content.decode()
    assert "data-arrived" in text and "&lt;hello&gt;" in text and "<html" not in text
    assert "no-store" in card.headers["Cache-Control"]
    [link] = re.findall(r'href="([^"]+traces/[^"]+)"', text)
    assert client.get(link).status_code == 200


def test_who_may(project: Project) -> None:
    for path in (f"/project/{project.id}/traces/setup", f"/project/{project.id}/traces/setup/first-trace"):
        for role in ("ADMIN", "MEMBER", "VIEWER"):
            assert _as(factories.member(project.organization, role)).get(path).status_code == 200
        assert _as(factories.user()).get(path).status_code == 404
        assert Client().get(path).url.startswith("/auth/sign-in")
        assert _as(factories.member(project.organization, "OWNER")).post(path).status_code == 405


def test_a_viewer_cannot_make_a_key(project: Project) -> None:
    client = _as(factories.member(project.organization, "VIEWER"))
    page = client.get(f"/project/{project.id}/traces/setup").content.decode()
    assert "api-keys/create" not in page


@pytest.mark.parametrize(
    "snippet", [s for s in SNIPPETS if s.id not in ("curl", "typescript")], ids=lambda s: s.id
)
def test_python_snippets_are_python(snippet: Snippet) -> None:
    compile(snippet.code, snippet.id, "exec")


def test_highlighting_loses_nothing_and_escapes() -> None:
    for snippet in SNIPPETS:
        text = re.sub(r"<[^>]+>", "", str(highlight(snippet.code)))
        for entity, plain in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#x27;", "'"), ("&amp;", "&")):
            text = text.replace(entity, plain)
        assert text == snippet.code
    assert "<script>" not in highlight('x = "<script>" # <script>')


def test_snippets_that_need_no_model_work_as_shown(make_server) -> None:
    """Run as a reader would: with the variables of the page, against a real server."""
    server: ServerProcess = make_server(
        LITEFUSE_INIT_ORG_ID="org",
        LITEFUSE_INIT_PROJECT_ID="first",
        LITEFUSE_INIT_PROJECT_PUBLIC_KEY=KEYS[0],
        LITEFUSE_INIT_PROJECT_SECRET_KEY=KEYS[1],
        LITEFUSE_INIT_USER_EMAIL="ada@example.org",
        LITEFUSE_INIT_USER_PASSWORD="analytical-engine-1843",
    ).start()
    environment = {
        "PATH": os.environ["PATH"],
        "LANGFUSE_PUBLIC_KEY": KEYS[0],
        "LANGFUSE_SECRET_KEY": KEYS[1],
        "LANGFUSE_BASE_URL": server.url,
    }
    code = {snippet.id: snippet.code for snippet in SNIPPETS}
    subprocess.run([sys.executable, "-c", code["opentelemetry"]], env=environment, check=True, timeout=60)
    if shutil.which("curl") and shutil.which("openssl"):
        subprocess.run(["sh", "-c", code["curl"]], env=environment, check=True, timeout=60)
    with httpx.Client(base_url=server.url, follow_redirects=True) as browser:
        form = {"login": "ada@example.org", "password": "analytical-engine-1843"}
        browser.get("/auth/sign-in")
        form["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
        browser.post("/auth/sign-in", data=form, headers={"Origin": server.url})
        card = browser.get("/project/first/traces/setup/first-trace").text
        assert "data-arrived" in card
        [link] = re.findall(r'href="(/project/first/traces/[0-9a-f]{32})', card)
        assert browser.get(link).status_code == 200
        basic = "Basic " + base64.b64encode(":".join(KEYS).encode()).decode()
        trace = browser.get(f"/api/public/traces/{link[-32:]}", headers={"Authorization": basic}).json()
        assert trace["observations"]
