"""Prompts over the public API: versions two and one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import filters
from apps.core.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unauthorized
from apps.core.filters import Conditions
from apps.core.openapi import documented
from apps.core.parameters import Parameters
from apps.core.rest import answer_error
from apps.core.validation import Fields
from apps.organizations.rest import KeyView, actor_of, project_id, project_of
from apps.prompts import api_schema as schema
from apps.prompts import listing, queries, services, shapes
from apps.prompts.drafts import read_draft, read_labels
from apps.prompts.models import MAX_NUMBER, PRODUCTION, PromptVersion
from apps.prompts.references import Unresolvable, resolve

LIST_LIMIT = 10  # items of a page, when the caller does not say

# Labels are protected from members, not from programs: whoever makes a key may move them.
KEYS_MAY_MOVE_PROTECTED = True


class PromptView(KeyView):
    """Base of endpoints about prompts. Unlike elsewhere, a refusal of credentials names its error too."""

    resource = "prompts"
    scopes = {"GET": "read", "POST": "write", "PATCH": "write", "DELETE": "write"}

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        """With the name of the error."""
        return _answer_error


def _answer_error(error: Exception, context: Mapping[str, Any]) -> Response:
    response = answer_error(error, context)
    if isinstance(error, Unauthorized | Forbidden):
        response.data = {"error": error.error, "message": error.message}
    return response


class Prompts(PromptView):
    """/api/public/v2/prompts."""

    @documented(
        "List prompts", tag="Prompts", response=schema.PromptList, example=schema.LIST_EXAMPLE,
        parameters=schema.LIST_PARAMETERS,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """Prompts by name. Versions are filtered first: what a prompt shows is of those that fit."""
        query = Parameters(request.query_params)
        page = query.page(limit=LIST_LIMIT)
        conditions = _conditions(request, query)
        query.check()
        found, total = listing.list_prompts(
            project_id(request), conditions, limit=page.limit, offset=page.offset
        )
        answer = page.answer([shapes.summary(prompt) for prompt in found], total)
        return Response({**answer, "pagination": answer["meta"]})

    @documented(
        "Create a version of a prompt", tag="Prompts", request=schema.NewVersion, response=schema.Version,
        status=201, request_example=schema.REQUEST_EXAMPLE, example=schema.EXAMPLE,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """The next version of the prompt with this name, which may be its first."""
        return _created(request, request.data)


class PromptDetail(PromptView):
    """/api/public/v2/prompts/{promptName}."""

    @documented(
        "Get a prompt", tag="Prompts", response=schema.Version, example=schema.EXAMPLE,
        parameters=schema.GET_PARAMETERS,
    )  # fmt: skip
    def get(self, request: Request, prompt_name: str) -> Response:
        """One version, by number or label; by the label production when neither is given."""
        query = Parameters(request.query_params)
        number, label = _which(query)
        is_resolved = query.boolean("resolve")
        query.check()
        if number is not None and label:
            raise InvalidRequest("Give version or label, not both.")
        return Response(
            _version(project_id(request), prompt_name, number, label, resolved=is_resolved is not False)
        )

    @documented("Delete versions of a prompt", tag="Prompts", status=204, parameters=schema.DELETE_PARAMETERS)
    def delete(self, request: Request, prompt_name: str) -> Response:
        """The version with this number, or label; every one when neither is given."""
        query = Parameters(request.query_params)
        number, label = _which(query)
        query.check()
        services.delete_versions(
            actor=actor_of(request), project=project_of(request), name=prompt_name, number=number,
            label=label, may_move_protected=KEYS_MAY_MOVE_PROTECTED,
        )  # fmt: skip
        return Response(status=204)


class PromptVersionDetail(PromptView):
    """/api/public/v2/prompts/{promptName}/versions/{version}."""

    @documented(
        "Label a version of a prompt", tag="Prompts", request=schema.NewLabels, response=schema.Version,
        request_example={"newLabels": ["production"]}, example=schema.EXAMPLE,
    )  # fmt: skip
    def patch(self, request: Request, prompt_name: str, version: int) -> Response:
        """The version gets these labels beside those it has; other versions lose them."""
        fields = Fields(request.data)
        labels = read_labels(fields, "newLabels")
        if labels is None and not fields.is_given("newLabels"):
            fields.refuse("newLabels", "Required", "invalid_type")
        fields.check()
        if version > MAX_NUMBER:
            raise NotFound(f"There is no version {version} of a prompt {prompt_name} in this project.")
        services.add_labels(
            actor=actor_of(request), project=project_of(request), name=prompt_name, number=version,
            labels=labels or (), may_move_protected=KEYS_MAY_MOVE_PROTECTED,
        )  # fmt: skip
        return Response(_version(project_id(request), prompt_name, version, "", resolved=False))


class PromptsV1(PromptView):
    """/api/public/prompts, as old clients know it."""

    @documented(
        "Get a prompt (version 1)", tag="Prompts", response=schema.Version, example=schema.EXAMPLE,
        parameters=schema.V1_PARAMETERS,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """The version with this number, or the one in production."""
        query = Parameters(request.query_params)
        name = query.required("name")
        number, _ = _which(query)
        query.check()
        return Response(_version(project_id(request), name, number, "", resolved=True))

    @documented(
        "Create a version of a prompt (version 1)", tag="Prompts", request=schema.NewVersionV1,
        response=schema.Version, status=201, request_example={**schema.REQUEST_EXAMPLE, "isActive": True},
        example=schema.EXAMPLE,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """The next version of a prompt; `isActive` labels it production."""
        fields = Fields(request.data)
        is_active = fields.boolean("isActive")
        fields.check()
        return _created(request, request.data, extra=(PRODUCTION,) if is_active else ())


def _created(request: Request, body: Any, extra: tuple[str, ...] = ()) -> Response:
    draft = read_draft(body, extra_labels=extra)
    version = services.create_version(
        actor=actor_of(request), project=project_of(request), draft=draft,
        may_move_protected=KEYS_MAY_MOVE_PROTECTED,
    )  # fmt: skip
    return Response(shapes.version(version, version.content, None), status=201)


def _version(project: str, name: str, number: int | None, label: str, *, resolved: bool) -> dict[str, Any]:
    label = label or ("" if number is not None else PRODUCTION)
    found = queries.find_version(project, name, number=number, label=label)
    if found is None:
        which = f"label {label}" if number is None else f"version {number}"
        raise NotFound(f"There is no prompt {name} with {which} in this project.")
    if not resolved:
        return shapes.version(found, found.content, None)
    return shapes.version(found, *_put_together(project, found))


def _put_together(project: str, version: PromptVersion) -> tuple[Any, dict[str, Any] | None]:
    try:
        return resolve(queries.node(version), lambda reference: queries.find_node(project, reference))
    except Unresolvable as error:
        raise Conflict(f"{error} Ask with resolve=false for the prompt as it was written.") from error


def _which(query: Parameters) -> tuple[int | None, str]:
    """The version and the label asked for."""
    number = query.integer("version", least=1, most=MAX_NUMBER, default=0)
    return number or None, query.text("label")


def _conditions(request: Request, query: Parameters) -> Conditions:
    """What a list shows. A filter replaces the simple parameters; one without conditions does not."""
    given = filters.parse(request.query_params.get("filter"), listing.COLUMNS)
    simple = []
    if name := query.text("name"):
        simple.append(filters.equals(listing.NAME, name))
    if label := query.text("label"):
        simple.append(filters.any_of(listing.LABELS, [label]))
    if tag := query.text("tag"):
        simple.append(filters.any_of(listing.TAGS, [tag]))
    number, _ = _which(query)
    if number is not None:
        simple.append(filters.Condition(listing.VERSION, "number", "=", number))
    if (since := query.moment("fromUpdatedAt")) is not None:
        simple.append(filters.since(listing.UPDATED, since))
    if (before := query.moment("toUpdatedAt")) is not None:
        simple.append(filters.before(listing.UPDATED, before))
    return given or tuple(simple)
