"""Score configs over the public API. There is no deletion: scores name them."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.clock import from_datetime, iso_millis
from apps.core.errors import InvalidRequest, NotFound
from apps.core.ids import is_tenant_id
from apps.core.openapi import PAGE, documented
from apps.core.parameters import Parameters
from apps.core.validation import Fields
from apps.organizations.rest import KeyView, actor_of, project_id, project_of
from apps.tracing import score_schema as schema
from apps.tracing.score_configs import services
from apps.tracing.score_configs.models import MAX_NAME, DataType, ScoreConfig
from apps.tracing.score_configs.services import Category, Content

MAX_CATEGORIES = 1000
MAX_LABEL = 500
MAX_DESCRIPTION = 10_000
_TAG = "Score configs"
_CHANGEABLE = ("isArchived", "name", "minValue", "maxValue", "categories", "description")


class ScoreConfigs(KeyView):
    """GET and POST /api/public/score-configs."""

    scopes = {"GET": "read", "POST": "write"}

    @documented(
        "List score configs, newest first",
        tag=_TAG,
        response=schema.ScoreConfigsPage,
        example=schema.CONFIGS_PAGE,
        parameters=PAGE,
    )
    def get(self, request: Request) -> Response:
        """A page, newest first, archived ones included."""
        parameters = Parameters(request.query_params)
        page = parameters.page()
        parameters.check()
        rows = ScoreConfig.objects.filter(project=project_id(request))
        part = rows.order_by("-created_at", "-id")[page.offset : page.offset + page.limit]
        return Response(page.answer([shape(row) for row in part], rows.count()))

    @documented(
        "Create a score config",
        tag=_TAG,
        response=schema.ScoreConfig,
        example=schema.CONFIG,
        request=schema.CreateScoreConfig,
        request_example=schema.NEW_CONFIG,
    )
    def post(self, request: Request) -> Response:
        """A new config."""
        fields = Fields(request.data)
        content = Content(
            name=fields.text("name", limit=MAX_NAME),
            data_type=fields.choice("dataType", DataType.values),
            min_value=fields.number("minValue"),
            max_value=fields.number("maxValue"),
            categories=_categories(fields),
            description=_description(fields),
        )
        fields.check()
        project = project_of(request)
        return Response(shape(services.create(actor=actor_of(request), project=project, content=content)))


class ScoreConfigDetail(KeyView):
    """GET and PATCH /api/public/score-configs/{configId}."""

    scopes = {"GET": "read", "PATCH": "write"}

    @documented("Get a score config", tag=_TAG, response=schema.ScoreConfig, example=schema.CONFIG)
    def get(self, request: Request, config_id: str) -> Response:
        """One config."""
        rows = ScoreConfig.objects.filter(project=project_id(request), id=_checked(config_id))
        config = rows.first()
        if config is None:
            raise NotFound(f"There is no score config {config_id} in this project.")
        return Response(shape(config))

    @documented(
        "Change a score config, or archive it",
        tag=_TAG,
        response=schema.ScoreConfig,
        example={**schema.CONFIG, "isArchived": True},
        request=schema.UpdateScoreConfig,
        request_example={"isArchived": True},
    )
    def patch(self, request: Request, config_id: str) -> Response:
        """Change some of its fields."""
        changes = _changes(Fields(request.data))
        project = project_of(request)
        config = services.update(
            actor=actor_of(request), project=project, config_id=_checked(config_id), changes=changes
        )
        return Response(shape(config))


def shape(config: ScoreConfig) -> dict[str, Any]:
    """A config as the public API writes it."""
    return {
        "id": config.id,
        "projectId": config.project_id,
        "name": config.name,
        "dataType": config.data_type,
        "isArchived": config.is_archived,
        "minValue": config.min_value,
        "maxValue": config.max_value,
        "categories": config.categories,
        "description": config.description or None,
        "createdAt": iso_millis(from_datetime(config.created_at)),
        "updatedAt": iso_millis(from_datetime(config.updated_at)),
    }


def _checked(config_id: str) -> str:
    if not is_tenant_id(config_id):
        raise NotFound("There is no such score config in this project.")
    return config_id


def _changes(fields: Fields) -> dict[str, Any]:
    """What a PATCH changes, by field of Content. Null clears a limit and the description; elsewhere it says
    nothing."""
    if not any(name in fields for name in _CHANGEABLE):
        raise InvalidRequest(f"Nothing to change; give at least one of {', '.join(_CHANGEABLE)}.")
    changes: dict[str, Any] = {
        "is_archived": fields.boolean("isArchived"),
        "name": fields.text("name", limit=MAX_NAME, required=False) or None,
        "categories": _categories(fields),
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    for name, field in (("min_value", "minValue"), ("max_value", "maxValue")):
        if field in fields:
            changes[name] = fields.number(field)
    if "description" in fields:
        changes["description"] = _description(fields)
    fields.check()
    return changes


def _categories(fields: Fields) -> tuple[Category, ...] | None:
    given = fields.objects("categories", most=MAX_CATEGORIES)
    if given is None:
        return None
    return tuple(
        {"label": item.text("label", limit=MAX_LABEL), "value": item.number("value", required=True)}
        for item in given
    )


def _description(fields: Fields) -> str:
    return fields.text("description", limit=MAX_DESCRIPTION, required=False, least=0)
