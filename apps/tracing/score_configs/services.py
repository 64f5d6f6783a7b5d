"""Everything that changes score configs: check, then do, then write it down; and what scores ask of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection, transaction

from apps.audit import services as audit
from apps.audit.services import Actor
from apps.core.errors import InvalidBody, InvalidRequest, Issue, NotFound
from apps.core.ids import is_tenant_id
from apps.organizations.models import Project
from apps.tracing.records import ScoreType
from apps.tracing.score_configs.models import MAX_NAME, DataType, ScoreConfig
from apps.tracing.score_configs.rules import Rules

MAX_CONFIGS = 10_000  # of a project
_AT_ONCE = 500  # ids in one query
_NAME = re.compile(rf"[A-Za-z0-9_ .()\-]{{1,{MAX_NAME}}}")
_BOOLEAN = ({"label": "True", "value": 1}, {"label": "False", "value": 0})

Category = Mapping[str, Any]  # label, value


@dataclass(frozen=True, slots=True)
class Content:
    """What a config says."""

    name: str
    data_type: str
    is_archived: bool = False
    min_value: float | None = None
    max_value: float | None = None
    categories: tuple[Category, ...] | None = None
    description: str = ""

    def as_json(self) -> dict[str, Any]:
        """For the audit log."""
        return {
            "name": self.name,
            "dataType": self.data_type,
            "isArchived": self.is_archived,
            "minValue": self.min_value,
            "maxValue": self.max_value,
            "categories": None if self.categories is None else list(self.categories),
            "description": self.description or None,
        }


def create(*, actor: Actor, project: Project, content: Content) -> ScoreConfig:
    """A new config. Raises InvalidBody with every rule that it breaks."""
    if content.data_type == DataType.BOOLEAN and content.categories is not None:
        raise InvalidBody([Issue("custom", ("categories",), _FIXED)])
    content = _complete(content)
    _check(content)
    with transaction.atomic():
        if ScoreConfig.objects.filter(project=project).count() >= MAX_CONFIGS:
            raise InvalidRequest(f"A project has at most {MAX_CONFIGS} score configs; change one of them.")
        config = ScoreConfig(project=project)
        _write(config, content)
        _record(actor, "create", config, project, None, content)
    return config


def update(*, actor: Actor, project: Project, config_id: str, changes: Mapping[str, Any]) -> ScoreConfig:
    """A config with some fields of Content changed. Raises NotFound, InvalidBody."""
    with transaction.atomic():
        rows = ScoreConfig.objects.select_for_update().filter(project=project, id=config_id)
        config = rows.first()
        if config is None:
            raise NotFound(f"There is no score config {config_id} in this project.")
        before = content_of(config)
        if before.data_type == DataType.BOOLEAN and "categories" in changes:
            raise InvalidBody([Issue("custom", ("categories",), _FIXED)])
        after = replace(before, **changes)
        _check(after)
        if after != before:
            _write(config, after)
            _record(actor, "update", config, project, before, after)
    return config


def content_of(config: ScoreConfig) -> Content:
    """What a stored config says."""
    return Content(
        name=config.name,
        data_type=config.data_type,
        is_archived=config.is_archived,
        min_value=config.min_value,
        max_value=config.max_value,
        categories=None if config.categories is None else tuple(config.categories),
        description=config.description,
    )


def find_rules(project_id: str, ids: Collection[str]) -> dict[str, Rules]:
    """What these configs of a project demand, by id; safe from any thread."""
    wanted = sorted(id for id in set(ids) if is_tenant_id(id))
    if wanted and not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()  # threads here outlive a lost connection
    found: dict[str, Rules] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        rows = ScoreConfig.objects.filter(project=project_id, id__in=wanted[start : start + _AT_ONCE])
        found |= {row.id: _rules(row) for row in rows}
    return found


def _rules(row: ScoreConfig) -> Rules:
    categories = {category["label"]: float(category["value"]) for category in row.categories or ()}
    return Rules(
        row.id, row.name, ScoreType(row.data_type), row.is_archived, row.min_value, row.max_value, categories
    )


_FIXED = "BOOLEAN has the categories True and False; send none"


def _complete(content: Content) -> Content:
    """With the categories that the server gives."""
    return replace(content, categories=_BOOLEAN) if content.data_type == DataType.BOOLEAN else content


def _check(content: Content) -> None:
    """Raises InvalidBody with every rule that is broken."""
    issues = []
    if not _NAME.fullmatch(content.name):
        message = f"Expected 1 to {MAX_NAME} letters, digits, blanks or any of _.()-"
        issues.append(Issue("invalid_string", ("name",), message))
    for name, value in (("minValue", content.min_value), ("maxValue", content.max_value)):
        if value is not None and content.data_type != DataType.NUMERIC:
            issues.append(Issue("custom", (name,), f"Only NUMERIC has a range, not {content.data_type}"))
    least, most = content.min_value, content.max_value
    if least is not None and most is not None and least >= most:
        issues.append(Issue("custom", ("maxValue",), "maxValue must be greater than minValue"))
    issues += _wrong_categories(content)
    if issues:
        raise InvalidBody(issues)


def _wrong_categories(content: Content) -> list[Issue]:
    given = content.categories
    if content.data_type == DataType.CATEGORICAL:
        if not given:
            return [Issue("too_small", ("categories",), "CATEGORICAL needs at least one category")]
        return [
            Issue("custom", ("categories",), f"Each category needs a {key} of its own")
            for key in ("label", "value")
            if len({category[key] for category in given}) < len(given)
        ]
    if given is not None and content.data_type != DataType.BOOLEAN:
        message = f"Only CATEGORICAL has categories, not {content.data_type}"
        return [Issue("custom", ("categories",), message)]
    return []


def _write(config: ScoreConfig, content: Content) -> None:
    config.name, config.data_type = content.name, content.data_type
    config.is_archived = content.is_archived
    config.min_value, config.max_value = content.min_value, content.max_value
    config.categories = None if content.categories is None else list(content.categories)
    config.description = content.description
    config.save()


def _record(
    actor: Actor, action: str, config: ScoreConfig, project: Project, before: Content | None, after: Content
) -> None:
    audit.record(
        actor,
        action,
        "scoreConfig",
        config.id,
        before=None if before is None else before.as_json(),
        after=after.as_json(),
        organization_id=project.organization_id,
        project_id=project.id,
    )
