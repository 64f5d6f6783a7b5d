"""Comments over the public API."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import openapi
from apps.core.clock import from_datetime, iso_millis
from apps.core.openapi import documented, parameter
from apps.core.parameters import Parameters
from apps.core.validation import Fields
from apps.evaluation import api_schema as schema
from apps.evaluation import services
from apps.evaluation.models import MAX_ID, Comment
from apps.evaluation.services import Draft
from apps.organizations.rest import KeyView, actor_of, project_id, project_of

MAX_CONTENT = 5000
_TAG = "Comments"


class Comments(KeyView):
    """GET and POST /api/public/comments."""

    scopes = {"GET": "read", "POST": "write"}

    @documented(
        "List comments, newest first",
        tag=_TAG,
        response=schema.CommentPage,
        example=schema.PAGE,
        parameters=(
            *openapi.PAGE,
            parameter("objectType", "What is commented on", choices=Comment.Subject.values),
            parameter("objectId", "Which one; needs objectType"),
            parameter("authorUserId", "Who said it"),
        ),
    )
    def get(self, request: Request) -> Response:
        """A page of comments."""
        parameters = Parameters(request.query_params)
        parameters.only("page", "limit", "objectType", "objectId", "authorUserId")
        page = parameters.page()
        object_type = parameters.choice("objectType", Comment.Subject.values)
        object_id = parameters.text("objectId")
        if object_id and not object_type:
            parameters.refuse("objectType", "objectId needs an objectType beside it")
        author = parameters.text("authorUserId")
        parameters.check()
        rows = services.find(
            project_id(request), object_type=object_type, object_id=object_id, author_id=author
        )
        part = rows[page.offset : page.offset + page.limit]
        return Response(page.answer([_shape(row) for row in part], rows.count()))

    @documented(
        "Comment on a trace, an observation, a session or a version of a prompt",
        tag=_TAG,
        response=schema.CommentMade,
        example={"id": schema.COMMENT["id"]},
        request=schema.NewComment,
        request_example=schema.NEW,
    )
    def post(self, request: Request) -> Response:
        """The id of the new comment."""
        draft = _draft(request.data)
        comment = services.create(actor=actor_of(request), project=project_of(request), draft=draft)
        return Response({"id": comment.id})


class CommentDetail(KeyView):
    """GET /api/public/comments/{commentId}."""

    scope = "read"

    @documented("Get a comment", tag=_TAG, response=schema.CommentShape, example=schema.COMMENT)
    def get(self, request: Request, comment_id: str) -> Response:
        """One comment."""
        return Response(_shape(services.get(project_id(request), comment_id)))


def _draft(body: Any) -> Draft:
    """The body of POST, or InvalidBody naming each field that is wrong."""
    fields = Fields(body)
    fields.only("projectId", "objectType", "objectId", "content", "authorUserId")
    fields.text("projectId", limit=MAX_ID)
    object_type = fields.choice("objectType", Comment.Subject.values)
    object_id = fields.text("objectId", limit=MAX_ID)
    content = fields.text("content", limit=4 * MAX_CONTENT)  # with blanks around it that do not count
    author = fields.text("authorUserId", limit=MAX_ID, required=False)
    fields.check()
    content = content.strip()
    if not 1 <= len(content) <= MAX_CONTENT:
        fields.refuse("content", f"Expected 1 to {MAX_CONTENT} characters, without blanks around them")
        fields.check()
    return Draft(object_type, object_id, content, author)


def _shape(comment: Comment) -> dict[str, Any]:
    return {
        "id": comment.id,
        "projectId": comment.project_id,
        "objectType": comment.object_type,
        "objectId": comment.object_id,
        "content": comment.content,
        "authorUserId": None if comment.author_id is None else str(comment.author_id),
        "createdAt": iso_millis(from_datetime(comment.created_at)),
        "updatedAt": iso_millis(from_datetime(comment.updated_at)),
    }
