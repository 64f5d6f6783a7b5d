"""How an endpoint describes itself: one decorator, from which the API's documentation is made.

Shapes are serializers that describe and never serialize: answers are plain structures (`rest`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers

View = TypeVar("View", bound=Callable[..., Any])


class Schema(AutoSchema):
    """Reads what `documented` and the views say."""

    def get_operation_id(self) -> str:
        """Unique by module, view and method."""
        place = type(self.view).__module__.partition(".")[2].replace(".", "_").removesuffix("_api")
        return f"{place}_{type(self.view).__name__}_{self.method.lower()}"

    def get_auth(self) -> list[dict[str, list[str]]]:
        """As the view says."""
        return [{kind: []} for kind in getattr(self.view, "security", ())]

    def get_tags(self) -> list[str]:
        """For what `documented` gave none."""
        return ["Other"]


class Problem(serializers.Serializer[Any]):
    """What every refusal says."""

    message = serializers.CharField(required=False, help_text="What was wrong, and what to do about it")
    error = serializers.JSONField(
        required=False,
        help_text="Name of the error, or the list of issues",
    )


ERRORS = (400, 401, 403, 404, 405, 429)


def parameter(
    name: str, description: str, kind: Any = str, *, required: bool = False, many: bool = False,
    choices: Sequence[str] | None = None,
) -> OpenApiParameter:  # fmt: skip
    """A query parameter."""
    return OpenApiParameter(
        name, kind, description=description, required=required, many=many, enum=choices,
    )  # fmt: skip


PAGE = (
    parameter("page", "Number of the page, from 1", int),
    parameter("limit", "Items in a page, 1 to 100", int),
)


def documented(
    summary: str,
    *,
    tag: str,
    response: Any = None,
    status: int = 200,
    example: Any = None,
    request: Any = None,
    request_example: Any = None,
    parameters: Sequence[OpenApiParameter] = (),
    errors: Sequence[int] = ERRORS,
) -> Callable[[View], View]:
    """Describe one method of a view. `response`, `request`: a serializer class, or a JSON schema as a dict;
    the examples are what such a call sends and gets."""
    examples = []
    if example is not None:
        examples.append(
            OpenApiExample("Answer", value=example, response_only=True, status_codes=[str(status)])
        )
    if request_example is not None:
        examples.append(OpenApiExample("Request", value=request_example, request_only=True))
    if isinstance(request, dict):
        request = {"application/json": request}
    decorate: Callable[[View], View] = extend_schema(
        summary=summary,
        tags=[tag],
        request=request,
        responses={status: response, **dict.fromkeys(errors, Problem)},
        parameters=list(parameters),
        examples=examples,
    )
    return decorate
