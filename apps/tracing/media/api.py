"""Media over the public API: announce a file, report its upload, read where it is."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.clock import from_datetime, iso_millis, now_micros
from apps.core.errors import InvalidRequest
from apps.core.openapi import documented
from apps.core.validation import Fields
from apps.organizations.connection import connection_of
from apps.organizations.rest import KeyView, project_id
from apps.tracing.media import api_schema as schema
from apps.tracing.media import services, types
from apps.tracing.media.announce import announce_from_thread
from apps.tracing.media.models import MAX_ID
from apps.tracing.media.services import Announcement, Report
from apps.tracing.media.tokens import URL_SECONDS

TRACE_FIELDS = ("input", "output", "metadata")
DATASET_FIELDS = ("input", "expectedOutput", "metadata")
_MAX_NUMBER = 2**53


class MediaCollection(KeyView):
    """POST /api/public/media."""

    scope = "ingest"
    resource = "media-upload"

    @documented(
        "Announce a file",
        tag="Media",
        response=schema.MediaUpload,
        status=201,
        example=schema.UPLOAD,
        request=schema.NewMedia,
        request_example=schema.NEW,
    )
    def post(self, request: Request) -> Response:
        """The id of a file, and where to PUT it; null when the project has it already."""
        wanted = _announcement(request.data)
        if wanted.content_length > settings.MAX_MEDIA_BYTES:
            raise InvalidRequest(
                f"contentLength is {wanted.content_length} bytes, and this server takes"
                f" {settings.MAX_MEDIA_BYTES} (LITEFUSE_MAX_MEDIA_MB)."
            )
        base = connection_of(request).base_url
        media_id, upload_url = services.create(project_id(request), wanted, base)
        return Response({"mediaId": media_id, "uploadUrl": upload_url}, status=201)


class MediaDetail(KeyView):
    """GET and PATCH /api/public/media/{mediaId}."""

    scopes = {"GET": "read", "PATCH": "ingest"}
    resources = {"PATCH": "media-upload"}

    @documented("Get a file that is here", tag="Media", response=schema.Media, example=schema.MEDIA)
    def get(self, request: Request, media_id: str) -> Response:
        """A file that is here, with an address that opens it for a while."""
        media = services.get(project_id(request), media_id)
        assert media.uploaded_at is not None  # what `get` means by "here"
        return Response(
            {
                "mediaId": media.media_id,
                "contentType": media.content_type,
                "contentLength": media.content_length,
                "uploadedAt": iso_millis(from_datetime(media.uploaded_at)),
                "url": services.download_url(media, connection_of(request).base_url),
                "urlExpiry": iso_millis(now_micros() + URL_SECONDS * 1_000_000),
            }
        )

    @documented(
        "Report how an upload went",
        tag="Media",
        response={"type": "object"},
        example={},
        request=schema.MediaReport,
        request_example=schema.REPORT,
    )
    def patch(self, request: Request, media_id: str) -> Response:
        """How an upload went."""
        project = project_id(request)
        services.report(project, media_id, _report(request.data))
        announce_from_thread(project, services.traces_of(project, media_id))
        return Response({})


def _announcement(body: Any) -> Announcement:
    """The body of POST, or InvalidBody naming each field that is wrong."""
    fields = Fields(body)
    content_type = fields.choice("contentType", types.EXTENSIONS)
    length = fields.integer("contentLength", least=1, most=_MAX_NUMBER)
    sha256 = fields.text("sha256Hash", limit=44)
    ids = {
        name: fields.text(name, limit=MAX_ID, required=False)
        for name in ("traceId", "observationId", "datasetId", "datasetItemId")
    }
    of_dataset = bool(ids["datasetId"] or ids["datasetItemId"])
    field = fields.choice("field", DATASET_FIELDS if of_dataset else TRACE_FIELDS)
    if sha256:
        try:
            services.media_id_of(sha256)
        except ValueError:
            fields.refuse(
                "sha256Hash", "Expected the base64 of a SHA-256 hash, 44 characters", "invalid_string"
            )
    _check_place(fields, ids)
    fields.check()
    assert length is not None
    return Announcement(
        content_type, length, sha256, field,
        ids["traceId"], ids["observationId"], ids["datasetId"], ids["datasetItemId"],
    )  # fmt: skip


def _check_place(fields: Fields, ids: dict[str, str]) -> None:
    """A file belongs to a trace, or to an item of a dataset."""
    of_trace = bool(ids["traceId"] or ids["observationId"])
    of_dataset = bool(ids["datasetId"] or ids["datasetItemId"])
    if of_trace and of_dataset:
        fields.refuse("datasetId", "Give traceId, or datasetId and datasetItemId, not both")
    elif of_dataset:
        for name in ("datasetId", "datasetItemId"):
            if not ids[name]:
                fields.refuse(name, "datasetId and datasetItemId go together")
    elif not ids["traceId"]:
        fields.refuse("traceId", "Give traceId, or datasetId and datasetItemId")


def _report(body: Any) -> Report:
    """The body of PATCH, or InvalidBody naming each field that is wrong."""
    fields = Fields(body)
    uploaded_at = fields.moment("uploadedAt")
    status = fields.integer("uploadHttpStatus", least=0, most=999)
    error = fields.any_text("uploadHttpError", limit=500)
    fields.integer("uploadTimeMs", least=0, most=_MAX_NUMBER, required=False)
    fields.check()
    assert uploaded_at is not None and status is not None
    return Report(uploaded_at, status, error)
