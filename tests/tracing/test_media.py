"""Files of traces behind the API: references, ranges, erasing, tidying up, and where pages show them."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import ProtectedError
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import InvalidBody, NotFound, Unavailable
from apps.organizations.models import Project, Role
from apps.tracing import erasure, previews
from apps.tracing.listing import trace_url
from apps.tracing.media import api, ranges, references, services, storage, tokens, types
from apps.tracing.media import asgi as media_asgi
from apps.tracing.media.models import Media, MediaLink, MediaRemoval
from apps.tracing.media.services import Announcement
from apps.tracing.media.storage import PREFIX, LocalStorage
from apps.tracing.media.tokens import Download, Upload
from apps.tracing.tasks import sweep_media
from apps.tracing.writer import Writer
from tests import factories
from tests.support import media
from tests.tracing.spans import root, span

PNG, HTML = media.png(), b"<script>1</script>"


# --- pure ---------------------------------------------------------------------------------------------------


@given(st.text(max_size=40))
def test_any_text_has_references_or_not(text: str) -> None:
    assert list(references.find(text)) == []
    whole = f"{text}{media.reference(PNG)}{text}"
    assert [found.media_id for found in references.find(whole)] == [media.media_id(PNG)]


def test_references_inside_json() -> None:
    text = json.dumps({"a": [media.reference(PNG)]}).replace("/", "\\/")
    assert list(references.find(text)) == [references.Reference("image/png", media.media_id(PNG))]


@given(
    st.text(max_size=30) | st.from_regex(r"bytes=\d{0,20}-\d{0,20}", fullmatch=True), st.integers(0, 10**6)
)
def test_a_range_is_inside_the_file_or_none(header: str, size: int) -> None:
    try:
        found = ranges.parse(header, size)
    except ranges.Unsatisfiable:
        return
    if found is not None:
        first, last = found
        assert 0 <= first <= last < size


@given(st.binary(min_size=32, max_size=32))
def test_ids_are_of_the_hash(digest: bytes) -> None:
    encoded = base64.b64encode(digest).decode()
    found = services.media_id_of(encoded)
    assert len(found) == 22
    assert base64.urlsafe_b64encode(digest).decode().startswith(found)


def test_what_a_browser_may_run_is_never_served_as_such() -> None:
    shown = {types.served_as(name) for name in types.EXTENSIONS}
    assert {name.partition("/")[0] for name in shown} == {"image", "audio", "video", "application"}
    assert {name for name in shown if name.startswith("application")} == {"application/octet-stream"}
    assert "image/svg+xml" not in shown
    assert types.served_as("text/html; charset=utf-8") == "application/octet-stream"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    JSON
    | st.fixed_dictionaries(
        {name: JSON | st.just(value) for name, value in media.announcement(PNG).items()},
        optional=dict.fromkeys(("observationId", "datasetId", "datasetItemId"), JSON),
    )
)
def test_any_announcement_is_understood_or_refused(body: Any) -> None:
    try:
        wanted = api._announcement(body)
    except InvalidBody as error:
        assert error.issues
    else:
        assert wanted.content_type in types.EXTENSIONS
        assert wanted.content_length > 0
        assert len(services.media_id_of(wanted.sha256)) == 22


@given(JSON | st.fixed_dictionaries({"uploadedAt": JSON | st.datetimes().map(str), "uploadHttpStatus": JSON}))
def test_any_report_is_understood_or_refused(body: Any) -> None:
    try:
        assert api._report(body).uploaded_at.tzinfo is not None
    except InvalidBody as error:
        assert error.issues


# --- services -----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Files of one test alone."""
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    storage.storage.cache_clear()
    yield tmp_path / "media"
    storage.storage.cache_clear()


@pytest.fixture
def project(transactional_db: None, folder: Path) -> Project:
    """A project with an owner."""
    return factories.project(owner=factories.user())


def announced(
    content: bytes, content_type: str = "image/png", trace_id: str = "t", **place: str
) -> Announcement:
    return Announcement(content_type, len(content), media.sha256(content), "input", trace_id, **place)


def bring(project: Project, content: bytes, content_type: str = "image/png", trace_id: str = "t") -> str:
    """A file that is here; its id."""
    wanted = announced(content, content_type, trace_id)
    media_id, url = services.create(project.id, wanted, "")
    if url is None:
        return media_id
    row = Media.objects.get(project=project, media_id=media_id)
    local = storage.local_storage()
    arrived = local.arriving("piece", len(content))
    arrived.write_bytes(content)
    services.finish(
        Upload(project.id, media_id, row.key, content_type, len(content), wanted.sha256), arrived, local
    )
    return media_id


def kept(folder: Path) -> set[bytes]:
    return {path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_erasing_traces_spares_what_others_use(project: Project, folder: Path) -> None:
    bring(project, PNG, trace_id="one")
    bring(project, PNG, trace_id="two")
    bring(project, HTML, "text/html", trace_id="one")
    other = factories.project()
    bring(other, HTML, "text/html", trace_id="one")

    services.erase(project.id, ["one", "unknown"])
    assert kept(folder) == {PNG, HTML}
    assert set(Media.objects.values_list("project_id", "media_id")) == {
        (project.id, media.media_id(PNG)),
        (other.id, media.media_id(HTML)),
    }
    services.erase(project.id, ["two"])
    services.erase(project.id, ["two"])
    assert kept(folder) == {HTML}
    services.erase(other.id, None)
    assert kept(folder) == set()
    assert (Media.objects.count(), MediaLink.objects.count()) == (0, 0)


def test_a_dataset_item_keeps_a_file(project: Project, folder: Path) -> None:
    bring(project, PNG, trace_id="t")
    services.create(project.id, announced(PNG, trace_id="", dataset_id="d", dataset_item_id="i"), "")
    erasure.erase_copies(project.id, frozenset({"t"}))
    assert kept(folder) == {PNG}
    erasure.erase_copies(project.id, None)
    assert kept(folder) == set()


def test_erasing_thousands_of_traces_asks_little(project: Project) -> None:
    for number in range(5):
        bring(project, PNG, trace_id=f"trace-{number}")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        services.erase(project.id, [f"trace-{number}" for number in range(1000)])
    assert len(queries) < 25
    assert Media.objects.count() == 0


def test_a_storage_that_is_away_erases_later(
    project: Project, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(project, PNG)
    with monkeypatch.context() as away:

        def refuse(*arguments: object) -> None:
            raise Unavailable("away")

        away.setattr(LocalStorage, "delete", refuse)
        services.erase(project.id, None)
        assert (kept(folder), Media.objects.count(), MediaRemoval.objects.count()) == ({PNG}, 0, 1)
    sweep_media()
    assert kept(folder) == set()
    MediaRemoval.objects.update(created_at=timezone.now() - timedelta(hours=3))
    sweep_media()
    assert MediaRemoval.objects.count() == 0


def test_a_file_uploaded_again_after_it_was_erased_stays(project: Project, folder: Path) -> None:
    bring(project, PNG)
    services.erase(project.id, None)
    bring(project, PNG)
    sweep_media()  # the removal of the first is still written down
    assert kept(folder) == {PNG}


def test_what_never_came_is_forgotten(project: Project, folder: Path) -> None:
    services.create(project.id, announced(PNG), "")
    come = bring(project, HTML, "text/html")
    sweep_media()
    assert Media.objects.count() == 2
    Media.objects.update(requested_at=timezone.now() - timedelta(days=2))
    sweep_media()
    assert [row.media_id for row in Media.objects.all()] == [come]


def test_a_file_that_came_without_a_word_is_found(project: Project, folder: Path) -> None:
    bring(project, PNG)
    Media.objects.update(uploaded_at=None, requested_at=timezone.now() - timedelta(days=2))
    sweep_media()
    assert services.get(project.id, media.media_id(PNG)).uploaded_at is not None


def test_pieces_of_interrupted_uploads_go(project: Project, folder: Path) -> None:
    local = storage.local_storage()
    for name, age in (("old", 3 * 3600), ("new", 60)):
        path = local.arriving(name, 1)
        path.write_bytes(b"x")
        moment = timezone.now().timestamp() - age
        os.utime(path, (moment, moment))
    sweep_media()
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["new"]


def test_a_project_with_files_cannot_go_before_them(project: Project) -> None:
    bring(project, PNG)
    with pytest.raises(ProtectedError):
        project.delete()


def test_the_task_is_scheduled() -> None:
    from litefuse_web.celery import SCHEDULE, app

    app.loader.import_default_modules()
    assert {entry["task"] for entry in SCHEDULE.values()} <= set(app.tasks)


@pytest.mark.parametrize("media_id", ["", "unknown", "\0" * 22, "x" * 22])
def test_unknown_files(project: Project, media_id: str) -> None:
    assert services.find(project.id, [media_id]) == {}
    with pytest.raises(NotFound):
        services.get(project.id, media_id)


# --- pages --------------------------------------------------------------------------------------------------


@pytest.fixture
def reader(project: Project) -> Client:
    """A viewer of the project, signed in."""
    client = Client()
    client.force_login(factories.member(project.organization, Role.VIEWER))
    return client


def page(client: Client, project: Project, **query: str) -> str:
    response = client.get(trace_url(project.id, "run"), query)
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def trace(project: Project) -> Iterator[Project]:
    """A trace whose content refers to files that are here, announced, failed and unknown."""
    for content, content_type in ((PNG, "image/png"), (HTML, "text/html"), (media.wav(), "audio/wav")):
        bring(project, content, content_type, "run")
    services.create(project.id, announced(b"late", "video/mp4"), "")
    chat = [
        {"role": "user", "content": f"see {media.reference(PNG)} and {media.reference(HTML, 'text/html')}"}
    ]
    writer = Writer()
    writer.commit(
        [
            root(
                project.id,
                "run",
                input=json.dumps({"a": {"b": media.reference(media.wav(), "audio/wav")}}),
                output=f"first {media.reference(b'late', 'video/mp4')} then {media.reference(b'gone')}",
                metadata={"note": media.reference(PNG)},
            ),
            span(project.id, "run", "chat", input=json.dumps(chat)),
        ]
    )
    yield project
    writer.close()


def file_url(project: Project, content: bytes) -> str:
    return reverse("tracing:media", args=[project.id, media.media_id(content)])


def test_references_become_files(trace: Project, reader: Client) -> None:
    panel = page(reader, trace)
    assert f'<audio src="{file_url(trace, media.wav())}" controls' in panel
    assert "Not uploaded yet." in panel
    assert "never announced" in panel
    chat = page(reader, trace, observation="chat")
    assert f'<img src="{file_url(trace, PNG)}"' in chat
    assert f'href="{file_url(trace, HTML)}?download" download' in chat
    assert "langfuseMedia" not in chat.partition("panel-body")[2]
    assert f'<img src="{file_url(trace, PNG)}"' in page(reader, trace, observation="root", tab="metadata")
    assert f'<audio src="{file_url(trace, media.wav())}" controls' in page(reader, trace, tab="json")


def test_a_preview_says_what_kind() -> None:
    text = json.dumps([{"role": "user", "content": f"see {media.reference(PNG)}!"}])
    assert previews.preview(text, role="user") == "see [image/png]!"


def test_many_references_are_one_question(trace: Project, reader: Client) -> None:
    writer = Writer()
    text = json.dumps([media.reference(str(number).encode()) for number in range(500)])
    writer.commit([span(trace.id, "run", "many", input=text)])
    writer.close()
    with CaptureQueriesContext(connection) as queries:
        page(reader, trace, observation="many")
    assert len([query for query in queries if "tracing_media" in query["sql"]]) == 1


def test_a_page_leads_to_the_file(trace: Project, reader: Client) -> None:
    response = reader.get(file_url(trace, PNG))
    assert (response.status_code, response["Location"].startswith("/media/")) == (302, True)
    assert "no-store" in response["Cache-Control"]
    assert reader.post(file_url(trace, PNG)).status_code == 405
    assert reader.get(file_url(trace, b"late")).status_code == 404
    assert reader.get(file_url(trace, b"gone")).status_code == 404


def test_strangers_get_nothing(trace: Project) -> None:
    stranger = Client()
    assert stranger.get(file_url(trace, PNG)).status_code == 302  # to sign in
    assert "/auth/" in stranger.get(file_url(trace, PNG))["Location"]
    stranger.force_login(factories.user())
    assert stranger.get(file_url(trace, PNG)).status_code == 404
    elsewhere = factories.project(owner=(owner := factories.user()))
    stranger.force_login(owner)
    assert stranger.get(reverse("tracing:media", args=[elsewhere.id, media.media_id(PNG)])).status_code == 404


def test_failed_uploads_say_why(project: Project, reader: Client) -> None:
    services.create(project.id, announced(b"late", "image/png"), "")
    said = services.Report(timezone.now(), 413, "too <large>")
    services.report(project.id, media.media_id(b"late"), said)
    writer = Writer()
    writer.commit([root(project.id, "run", input=media.reference(b"late"))])
    writer.close()
    assert "The upload failed: too &lt;large&gt;" in page(reader, project)


async def test_a_reader_that_takes_nothing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_asgi, "PIECE_SECONDS", 0.01)
    (tmp_path / "file").write_bytes(bytes(10))
    told: list[str] = []

    async def send(message: dict[str, Any]) -> None:
        told.append(message["type"])
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    files = media_asgi.MediaFiles(LocalStorage(tmp_path))
    scope = {"method": "GET", "headers": []}
    token = tokens.sign(Download("file", "image/png", "file.png"), int(time.time()) + 60)
    try:
        await files(scope, _nothing, send, f"{PREFIX}{token}")
    finally:
        files.close()
    assert told == ["http.response.start", "http.response.body"]


async def _nothing() -> dict[str, Any]:
    return {"type": "http.disconnect"}
