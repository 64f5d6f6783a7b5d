"""Lists of prompts: versions are filtered, then gathered by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Func, Lookup, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Upper
from django.db.models.lookups import Exact, IsNull

from apps.core import filter_orm
from apps.core.filters import Column, Columns, Condition, Conditions, Kind
from apps.prompts.models import Prompt, PromptLabel, PromptTag, PromptVersion

ID, NAME, TYPE = Column("id", Kind.TEXT), Column("name", Kind.TEXT), Column("type", Kind.TEXT)
VERSION = Column("version", Kind.NUMBER)
CREATED, UPDATED = Column("createdAt", Kind.TIME), Column("updatedAt", Kind.TIME)
LABELS, TAGS = Column("labels", Kind.LIST), Column("tags", Kind.LIST)
CONFIG = Column("config", Kind.TEXTS)
COLUMNS = Columns([ID, NAME, TYPE, VERSION, CREATED, UPDATED, LABELS, TAGS, CONFIG])


@dataclass(frozen=True, slots=True)
class PromptSummary:
    """A prompt in a list. All but name, kind and tags speak of the versions that passed the filter."""

    name: str
    kind: str
    numbers: tuple[int, ...]  # ascending
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    updated_at: datetime
    config: Any  # of the newest version


def list_prompts(
    project_id: str, conditions: Conditions, *, limit: int, offset: int
) -> tuple[list[PromptSummary], int]:
    """One part of a project's prompts by name, and how many there are in all."""
    versions = PromptVersion.objects.filter(
        filter_orm.compile_all(conditions, _paths(project_id)), prompt__project_id=project_id
    )
    prompts = Prompt.objects.filter(project_id=project_id, id__in=versions.values("prompt_id"))
    page = list(prompts.order_by("name", "id")[offset : offset + limit])
    return _summaries(page, versions.filter(prompt__in=page)), prompts.count()


def _summaries(page: list[Prompt], versions: QuerySet[PromptVersion]) -> list[PromptSummary]:
    rows: dict[int, list[tuple[str, int, datetime]]] = defaultdict(list)
    shown = versions.order_by("number").values_list("prompt_id", "id", "number", "updated_at")
    for prompt_id, version_id, number, updated_at in shown:
        rows[prompt_id].append((version_id, number, updated_at))
    ids = {version_id for found in rows.values() for version_id, _, _ in found}
    newest = [found[-1][0] for found in rows.values()]
    configs = dict(PromptVersion.objects.filter(id__in=newest).values_list("id", "config"))
    labels: dict[int, list[str]] = defaultdict(list)
    held = PromptLabel.objects.filter(prompt__in=page).order_by("id")
    for prompt_id, version_id, name in held.values_list("prompt_id", "version_id", "name"):
        if version_id in ids:
            labels[prompt_id].append(name)
    tags: dict[int, list[str]] = defaultdict(list)
    for prompt_id, name in (
        PromptTag.objects.filter(prompt__in=page).order_by("id").values_list("prompt_id", "name")
    ):
        tags[prompt_id].append(name)
    return [
        PromptSummary(
            prompt.name,
            prompt.kind,
            tuple(number for _, number, _ in rows[prompt.id]),
            tuple(labels[prompt.id]),
            tuple(tags[prompt.id]),
            max(updated_at for *_, updated_at in rows[prompt.id]),
            configs.get(rows[prompt.id][-1][0]),
        )
        for prompt in page
        if rows[prompt.id]  # deleted between two queries otherwise
    ]


# --- what the columns are to the database -------------------------------------------------------------------


class _Like(Lookup):
    """Whether a text fits a pattern with % and _."""

    lookup_name = "like"

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """The same in every database."""
        left, left_values = self.process_lhs(compiler, connection)
        right, right_values = self.process_rhs(compiler, connection)
        return f"{left} LIKE {right} ESCAPE '\\'", [*left_values, *right_values]


class _ValueText(Func):
    """The value of a key of a JSON object as text, null where there is none."""

    function = "jsonb_extract_path_text"
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """SQLite has no words for true and false outside of JSON, and its paths cannot hold every key."""
        (held, held_values), (key, key_values) = map(compiler.compile, self.source_expressions)
        text = "CASE WHEN type IN ('true', 'false') THEN type ELSE CAST(value AS TEXT) END"
        sql = f"(SELECT {text} FROM json_each({held}) WHERE key = {key})"  # noqa: S608, compiled and bound
        return sql, [*held_values, *key_values]


def _fits(expression: Any, condition: Condition) -> Q:
    """A condition about a text: `=` to the letter, the others as patterns that ignore case."""
    value, operator = str(condition.value), condition.operator
    if operator == "=":
        return Q(Exact(expression, Value(value)))
    if (len(value) - len(value.rstrip("\\"))) % 2:
        value += "\\"  # the last one would escape what comes next
    pattern = {"starts with": f"{value}%", "ends with": f"%{value}"}.get(operator, f"%{value}%")
    fits = Q(_Like(Upper(expression), Upper(Value(pattern))))
    return ~fits | Q(IsNull(expression, True)) if operator == "does not contain" else fits


def _text(path: str) -> Callable[[Condition], Q]:
    def compiled(condition: Condition) -> Q:
        if condition.type == "string" and condition.operator != "is not empty":
            return _fits(F(path), condition)
        return filter_orm.compile_one(condition, path)

    return compiled


def _number(condition: Condition) -> Q:
    if condition.operator == "=" and not float(condition.value).is_integer():  # type: ignore[arg-type]
        return Q(pk__in=[])
    return filter_orm.compile_one(condition, "number")


def _config(condition: Condition) -> Q:
    if condition.type == "null":
        return Q() if condition.operator == "is not null" else Q(pk__in=[])
    held = _ValueText(F("config"), Cast(Value(condition.key), TextField()))
    if condition.operator in ("is set", "is not set"):
        return Q(IsNull(held, condition.operator == "is not set"))
    return _fits(held, condition)


def _words(rows: QuerySet[Any], owner: str, path: str) -> Callable[[Condition], Q]:
    """Labels and tags are rows of their own: `owner` is who has them, `path` leads there from a version."""

    def holding(values: tuple[str, ...], least: int) -> Q:
        owners = rows.filter(name__in=values).values(owner).annotate(held=Count("id"))
        return Q(**{f"{path}__in": owners.filter(held__gte=least).values(owner)})

    def compiled(condition: Condition) -> Q:
        if condition.type == "null":
            some = Q(**{f"{path}__in": rows.values(owner)})
            return some if condition.operator == "is not null" else ~some
        values = condition.value
        assert isinstance(values, tuple)
        if condition.operator == "all of":
            return holding(values, len(set(values))) if values else Q()
        found = holding(values, 1)
        return ~found if condition.operator == "none of" else found

    return compiled


def _paths(project_id: str) -> Mapping[str, filter_orm.Path]:
    labels = PromptLabel.objects.filter(prompt__project_id=project_id)
    tags = PromptTag.objects.filter(prompt__project_id=project_id)
    return {
        "id": _text("id"),
        "name": _text("prompt__name"),
        "type": _text("prompt__kind"),
        "version": _number,
        "createdAt": "created_at",
        "updatedAt": "updated_at",
        "labels": _words(labels, "version", "pk"),
        "tags": _words(tags, "prompt", "prompt_id"),
        "config": _config,
    }
