"""Model definitions over the public API: managed ones to read, a project's own to change."""

from __future__ import annotations

import re
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.errors import NotFound
from apps.core.openapi import PAGE, documented
from apps.core.parameters import Parameters
from apps.organizations.drf import AdminOrKeyAuthentication
from apps.organizations.rest import KeyView, actor_of, project_id, project_of
from apps.pricing import api_schema as schema
from apps.pricing import queries, services, shapes
from apps.pricing.drafts import read_draft

_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")
_KNOWS_ATTRIBUTES = (4, 18)  # 4.14 does not yet


class ModelView(KeyView):
    """Base of endpoints about models; whoever runs the instance may use them for any project."""

    authentication_classes = [AdminOrKeyAuthentication]
    scopes = {"GET": "read", "POST": "write", "PUT": "write", "DELETE": "write"}


class Models(ModelView):
    """/api/public/models."""

    @documented(
        "List models", tag="Models", response=schema.ModelList, parameters=PAGE, example=schema.LIST_EXAMPLE
    )
    def get(self, request: Request) -> Response:
        """Managed definitions and the project's own, by name."""
        query = Parameters(request.query_params)
        page = query.page()
        query.check()
        found, total = queries.list_models(project_id(request), limit=page.limit, offset=page.offset)
        attributes = _knows_attributes(request)
        return Response(page.answer([shapes.model(model, attributes=attributes) for model in found], total))

    @documented(
        "Create a model", tag="Models", request=schema.NewModel, response=schema.Model,
        request_example=schema.REQUEST_EXAMPLE, example=schema.EXAMPLE,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """A definition of the project's own, which comes before managed ones for calls from now on."""
        draft = read_draft(request.data)
        made = services.create_model(actor=actor_of(request), project=project_of(request), draft=draft)
        return Response(_read(request, made.id))


class ModelDetail(ModelView):
    """/api/public/models/{id}."""

    @documented("Get a model", tag="Models", response=schema.Model, example=schema.EXAMPLE)
    def get(self, request: Request, model_id: str) -> Response:
        """A managed definition, or one of the project's own."""
        return Response(_read(request, model_id))

    @documented(
        "Create or replace a model", tag="Models", request=schema.NewModel, response=schema.Model,
        request_example=schema.REQUEST_EXAMPLE, example=schema.EXAMPLE,
    )  # fmt: skip
    def put(self, request: Request, model_id: str) -> Response:
        """The project's own definition with this id. What is stored keeps the cost it has."""
        draft = read_draft(request.data)
        services.put_model(
            actor=actor_of(request), project=project_of(request), model_id=model_id, draft=draft
        )
        return Response(_read(request, model_id))

    @documented("Delete a model", tag="Models", status=204)
    def delete(self, request: Request, model_id: str) -> Response:
        """One of the project's own; managed ones are there for all."""
        project = project_of(request)
        model = queries.find_model(project.id, model_id)
        if model is None or model.project_id is None:
            raise NotFound(f"There is no model {model_id} that this project could delete.")
        services.delete_model(actor=actor_of(request), project=project, model=model)
        return Response(status=204)


def _read(request: Request, model_id: str) -> dict[str, Any]:
    model = queries.find_model(project_id(request), model_id)
    if model is None:
        raise NotFound(f"There is no model {model_id} in this project.")
    return shapes.model(model, attributes=_knows_attributes(request))


def _knows_attributes(request: Request) -> bool:
    """Whether the client reads conditions on parameters and metadata."""
    if request.headers.get("x-langfuse-sdk-name", "").lower() != "python":
        return True
    version = _VERSION.match(request.headers.get("x-langfuse-sdk-version", ""))
    return version is None or (int(version[1]), int(version[2])) >= _KNOWS_ATTRIBUTES
