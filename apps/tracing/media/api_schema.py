"""Shapes of the endpoints for media, for the API's documentation. They describe and never serialize."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s

from apps.tracing.media import types
from apps.tracing.media.models import MAX_ID


def _id(help_text: str) -> s.CharField:
    return s.CharField(required=False, allow_null=True, max_length=MAX_ID, help_text=help_text)


class NewMedia(s.Serializer[Any]):
    """A file that is about to be uploaded, and where it is used."""

    traceId = _id("The trace it is used in, unless it is of a dataset")
    observationId = _id("The observation of that trace")
    datasetId = _id("The dataset it is used in, unless it is of a trace")
    datasetItemId = _id("The item of that dataset")
    contentType = s.ChoiceField(choices=list(types.EXTENSIONS))
    contentLength = s.IntegerField(min_value=1, help_text="Bytes")
    sha256Hash = s.CharField(min_length=44, max_length=44, help_text="Base64")
    field = s.ChoiceField(
        choices=("input", "output", "expectedOutput", "metadata"),
        help_text="expectedOutput only of a dataset",
    )


class MediaUpload(s.Serializer[Any]):
    """The file's id, and where to PUT it."""

    mediaId = s.CharField(help_text="First 22 characters of the hash in URL-safe base64")
    uploadUrl = s.CharField(allow_null=True, help_text="null when the project has the file already")


class Media(s.Serializer[Any]):
    """A file and where to read it."""

    mediaId = s.CharField()
    contentType = s.CharField()
    contentLength = s.IntegerField()
    uploadedAt = s.DateTimeField()
    url = s.CharField(help_text="Opens without credentials until urlExpiry")
    urlExpiry = s.DateTimeField()


class MediaReport(s.Serializer[Any]):
    """What became of an upload."""

    uploadedAt = s.DateTimeField()
    uploadHttpStatus = s.IntegerField()
    uploadHttpError = s.CharField(required=False, allow_null=True, allow_blank=True)
    uploadTimeMs = s.IntegerField(required=False, allow_null=True)


NEW = {
    "traceId": "8c41f07e2d9a4b6c8c41f07e2d9a4b6c",
    "contentType": "image/png",
    "contentLength": 70,
    "sha256Hash": "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
    "field": "input",
}
_ID = "n4bQgYhMfWWaL-qgxVrQFa"
UPLOAD = {"mediaId": _ID, "uploadUrl": "https://litefuse.example/media/token"}
REPORT = {"uploadedAt": "2026-11-21T08:00:00.000Z", "uploadHttpStatus": 200, "uploadTimeMs": 14}
MEDIA = {
    "mediaId": _ID,
    "contentType": "image/png",
    "contentLength": 70,
    "uploadedAt": "2026-11-21T08:00:00.000Z",
    "url": "https://litefuse.example/media/token",
    "urlExpiry": "2026-11-21T09:00:00.000Z",
}
