"""Media in a bucket: the address of one, and all that happens to files there, over real HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import NotFound, Unavailable
from apps.organizations.models import Project
from apps.tracing.media import address, services, storage
from apps.tracing.media.models import Media, MediaRemoval
from apps.tracing.media.services import Announcement, Report
from tests import factories
from tests.support import media
from tests.support.buckets import temporary_bucket
from tests.support.server import ROOT

PNG, HTML = media.png(), b"<script>1</script>"


# --- the address --------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's own environment says of AWS must not matter."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("text", "prefix", "region", "endpoint", "origin"),
    [
        (
            "s3://b.ucket", "", "us-east-1",
            "https://s3.us-east-1.amazonaws.com", "https://b.ucket.s3.us-east-1.amazonaws.com",
        ),
        (
            "s3://bucket/a/b/?region=eu-west-1", "a/b/", "eu-west-1",
            "https://s3.eu-west-1.amazonaws.com", "https://bucket.s3.eu-west-1.amazonaws.com",
        ),
        (
            "s3://bucket?endpoint=http://minio:9000/", "", "us-east-1",
            "http://minio:9000", "http://minio:9000",
        ),
        (
            "s3://bucket?endpoint=https://tos.example&addressing=virtual", "", "us-east-1",
            "https://tos.example", "https://bucket.tos.example",
        ),
    ],
)  # fmt: skip
def test_addresses(text: str, prefix: str, region: str, endpoint: str, origin: str) -> None:
    bucket = address.parse(text)
    assert bucket is not None
    assert (bucket.prefix, bucket.region, bucket.endpoint, bucket.origin) == (
        prefix,
        region,
        endpoint,
        origin,
    )


def test_credentials_and_region_of_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    bucket = address.parse("s3://key:a%2Fb%40c@bucket")
    assert bucket is not None
    assert (bucket.name, bucket.access_key, bucket.secret_key) == ("bucket", "key", "a/b@c")
    assert bucket.region == "ap-south-1"
    assert "a/b@c" not in repr(bucket)
    assert address.parse("") is None


@pytest.mark.parametrize(
    "text",
    [
        "/var/media",
        "https://bucket",
        "s3://",
        "s3://b",
        "s3://key:secret@/x",
        "s3://bucket?region",
        "s3://bucket?acl=public",
        "s3://bucket?endpoint=minio:9000",
        "s3://bucket?endpoint=https://x/y",
        "s3://bucket?endpoint=https://x;script-src%20*",
        "s3://bucket?addressing=dns",
    ],
)
def test_addresses_that_make_no_sense(text: str) -> None:
    with pytest.raises(ValueError):
        address.parse(text)


@given(st.text(max_size=40), st.text("se cret", min_size=8, max_size=12))
def test_what_is_said_of_an_address_holds_no_secret(rest: str, secret: str) -> None:
    try:
        address.parse(f"s3://key:{secret}@{rest}")
    except ValueError as error:
        assert secret not in str(error)


def test_a_senseless_address_stops_the_start(tmp_path: Path) -> None:
    environment = {
        "DJANGO_SETTINGS_MODULE": "litefuse_web.settings",
        "LITEFUSE_DATA_DIR": str(tmp_path),
        "LITEFUSE_MEDIA_URL": "ftp://key:hidden@bucket",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "LITEFUSE_MEDIA_URL" in done.stderr
    assert "hidden" not in done.stderr + done.stdout


# --- files --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bucket_url() -> Iterator[str]:
    """LITEFUSE_MEDIA_URL of a bucket that answers."""
    with temporary_bucket() as url:
        yield url


@pytest.fixture
def bucket(bucket_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[address.Bucket]:
    """The configured storage is that bucket."""
    found = address.parse(bucket_url)
    assert found is not None
    monkeypatch.setattr(settings, "MEDIA_BUCKET", found)
    storage.storage.cache_clear()
    yield found
    storage.storage.cache_clear()


@pytest.fixture
def project(transactional_db: None, bucket: address.Bucket) -> Project:
    """A project with an owner."""
    return factories.project(owner=factories.user())


def announce(project: Project, content: bytes, content_type: str = "image/png") -> str | None:
    wanted = Announcement(content_type, len(content), media.sha256(content), "input", "t")
    return services.create(project.id, wanted, "http://ours")[1]


def put(url: str | None, content: bytes, content_type: str = "image/png") -> None:
    assert url is not None
    answer = httpx.put(url, content=content, headers=media.headers(content, content_type))
    assert answer.status_code == 200, answer.text


def report(project: Project, content: bytes, status: int = 200) -> None:
    services.report(project.id, media.media_id(content), Report(timezone.now(), status))


def download(project: Project, content: bytes) -> httpx.Response:
    found = services.get(project.id, media.media_id(content))
    return httpx.get(services.download_url(found, "http://ours"))


def test_a_file_comes_and_goes(project: Project) -> None:
    url = announce(project, PNG)
    put(url, PNG)
    with pytest.raises(NotFound):
        services.get(project.id, media.media_id(PNG))
    report(project, PNG)
    found = download(project, PNG)
    assert found.content == PNG
    assert found.headers["content-type"] == "image/png"
    assert found.headers["content-disposition"].startswith("inline")
    assert announce(project, PNG) is None

    key = Media.objects.get().key
    services.erase(project.id, ["t"])
    assert storage.storage().look(key) is None


def test_what_browsers_may_run_is_a_download(project: Project) -> None:
    put(announce(project, HTML, "text/html"), HTML, "text/html")
    report(project, HTML)
    found = download(project, HTML)
    assert found.headers["content-type"] == "application/octet-stream"
    assert found.headers["content-disposition"].startswith("attachment")


def test_what_an_upload_address_allows(project: Project) -> None:
    """The service of these tests checks no signatures; real ones hold clients to all that is signed."""
    query = parse_qs(urlsplit(announce(project, PNG) or "").query)
    signed = query["X-Amz-SignedHeaders"][0].split(";")
    assert {"content-length", "content-type", "host", "x-amz-checksum-sha256"} == set(signed)
    assert query["X-Amz-Expires"] == ["3600"]
    assert "some/secret" not in str(query)


def test_a_report_is_not_proof(project: Project) -> None:
    announce(project, PNG)
    report(project, PNG)
    row = Media.objects.get()
    assert (row.uploaded_at, row.upload_error) == (None, "The storage does not have the file.")


def test_a_file_that_came_without_a_word_is_found(project: Project) -> None:
    put(announce(project, PNG), PNG)
    announce(project, HTML, "text/html")
    Media.objects.update(requested_at=timezone.now() - timedelta(days=2))
    services.sweep()
    assert [row.media_id for row in Media.objects.all()] == [media.media_id(PNG)]
    assert download(project, PNG).content == PNG


def test_another_type_counts_when_it_has_come(project: Project) -> None:
    put(announce(project, PNG), PNG)
    report(project, PNG)
    url = announce(project, PNG, "text/plain")
    assert services.get(project.id, media.media_id(PNG)).content_type == "image/png"
    put(url, PNG, "text/plain")
    report(project, PNG)
    assert services.get(project.id, media.media_id(PNG)).content_type == "text/plain"


def test_a_late_upload_of_what_was_erased_goes_too(project: Project) -> None:
    url = announce(project, PNG)
    key = Media.objects.get().key
    services.erase(project.id, None)
    put(url, PNG)
    assert storage.storage().look(key) is not None
    MediaRemoval.objects.update(created_at=timezone.now() - timedelta(hours=3))  # the address has expired
    services.sweep()
    assert storage.storage().look(key) is None
    assert MediaRemoval.objects.count() == 0


def test_a_file_inside_a_span(project: Project) -> None:
    wanted = Announcement("image/png", len(PNG), media.sha256(PNG), "input", "t")
    assert services.keep(project.id, wanted, PNG) == media.media_id(PNG)
    assert download(project, PNG).content == PNG


def test_a_page_leads_to_the_bucket(project: Project, bucket: address.Bucket) -> None:
    put(announce(project, PNG), PNG)
    report(project, PNG)
    client = Client()
    client.force_login(project.organization.memberships.get().user)
    response = client.get(reverse("tracing:media", args=[project.id, media.media_id(PNG)]))
    assert response["Location"].startswith(f"{bucket.origin}/files/litefuse/project-{project.id}/")


def test_a_bucket_that_is_away(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    put(announce(project, PNG), PNG)
    report(project, PNG)
    away = address.parse("s3://key:secret@bucket?endpoint=http://127.0.0.1:9")
    monkeypatch.setattr(settings, "MEDIA_BUCKET", away)
    storage.storage.cache_clear()
    with pytest.raises(Unavailable) as raised:
        report(project, PNG)
    assert raised.value.retry_after
    assert "127.0.0.1" not in raised.value.message
    services.erase(project.id, None)
    assert (Media.objects.count(), MediaRemoval.objects.count()) == (0, 1)


def test_no_credentials(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setattr(settings, "MEDIA_BUCKET", address.parse("s3://bucket"))
    storage.storage.cache_clear()
    with pytest.raises(Unavailable, match="NoCredentialsError"):
        announce(factories.project(), PNG)
    storage.storage.cache_clear()
