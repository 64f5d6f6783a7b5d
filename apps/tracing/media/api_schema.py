"""Shapes of the endpoints of media, for the API's documentation."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

HASH = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
ID = "47DEQpj8HBSa-_TImW-5JC"
MOMENT = "2026-11-21T08:00:00.000Z"
ANNOUNCEMENT = {
    "contentType": "image/png", "contentLength": 1024, "sha256Hash": HASH, "traceId": "t-1", "field": "input",
}  # fmt: skip
ANNOUNCED = {"mediaId": ID, "uploadUrl": "https://…"}
REPORT = {"uploadedAt": MOMENT, "uploadHttpStatus": 200, "uploadTimeMs": 35}
MEDIA = {
    "mediaId": ID, "contentType": "image/png", "contentLength": 1024, "uploadedAt": MOMENT,
    "url": "https://…", "urlExpiry": MOMENT,
}  # fmt: skip


class Announcement(serializers.Serializer[Any]):
    """A file, and where it is used: in a trace, or in a dataset item."""

    contentType = serializers.CharField()
    contentLength = serializers.IntegerField(min_value=1, help_text="Bytes")
    sha256Hash = serializers.CharField(help_text="Base64")
    field = serializers.ChoiceField(choices=["input", "output", "expectedOutput", "metadata"])
    traceId = serializers.CharField(required=False, allow_null=True)
    observationId = serializers.CharField(required=False, allow_null=True)
    datasetId = serializers.CharField(required=False, allow_null=True)
    datasetItemId = serializers.CharField(required=False, allow_null=True)


class Announced(serializers.Serializer[Any]):
    """Where to put the file."""

    mediaId = serializers.CharField()
    uploadUrl = serializers.CharField(allow_null=True, help_text="PUT it there; null when it is here already")


class Report(serializers.Serializer[Any]):
    """What became of an upload."""

    uploadedAt = serializers.DateTimeField()
    uploadHttpStatus = serializers.IntegerField()
    uploadHttpError = serializers.CharField(required=False, allow_null=True)
    uploadTimeMs = serializers.IntegerField(required=False, allow_null=True)


class MediaShape(serializers.Serializer[Any]):
    """A file that is here."""

    mediaId = serializers.CharField()
    contentType = serializers.CharField()
    contentLength = serializers.IntegerField()
    uploadedAt = serializers.DateTimeField()
    url = serializers.CharField(help_text="Opens the file for a while")
    urlExpiry = serializers.DateTimeField()
