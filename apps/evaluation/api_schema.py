"""Shapes of this room's endpoints, for the API's documentation. They describe and never serialize."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s

from apps.evaluation.models import MAX_ID, Comment


class CommentPageMeta(s.Serializer[Any]):
    """Where a numbered page stands."""

    page = s.IntegerField()
    limit = s.IntegerField()
    totalItems = s.IntegerField()
    totalPages = s.IntegerField()


class CommentShape(s.Serializer[Any]):
    """A comment."""

    id = s.CharField()
    projectId = s.CharField()
    objectType = s.ChoiceField(choices=Comment.Subject.values)
    objectId = s.CharField()
    content = s.CharField()
    authorUserId = s.CharField(allow_null=True)
    createdAt = s.DateTimeField()
    updatedAt = s.DateTimeField()


class CommentPage(s.Serializer[Any]):
    """A page of comments."""

    data = CommentShape(many=True)  # type: ignore[assignment]
    meta = CommentPageMeta()


class NewComment(s.Serializer[Any]):
    """What to say, and about what."""

    projectId = s.CharField(help_text="Read and not used: the key says which project it is")
    objectType = s.ChoiceField(choices=Comment.Subject.values)
    objectId = s.CharField(max_length=MAX_ID, help_text="Of a prompt: the id of one of its versions")
    content = s.CharField(max_length=5000)
    authorUserId = s.CharField(required=False, allow_null=True, help_text="A member of the organization")


class CommentMade(s.Serializer[Any]):
    """The new comment."""

    id = s.CharField()


COMMENT = {
    "id": "01k9zv6tq0b5m3e8r1w4x7y2za",
    "projectId": "project",
    "objectType": "TRACE",
    "objectId": "8c41f07e2d9a4b6c8c41f07e2d9a4b6c",
    "content": "The answer ignores the second question.",
    "authorUserId": None,
    "createdAt": "2026-11-21T08:00:00.000Z",
    "updatedAt": "2026-11-21T08:00:00.000Z",
}
NEW = {name: COMMENT[name] for name in ("projectId", "objectType", "objectId", "content")}
PAGE = {"data": [COMMENT], "meta": {"page": 1, "limit": 50, "totalItems": 1, "totalPages": 1}}
