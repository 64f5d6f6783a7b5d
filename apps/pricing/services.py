"""Everything that changes a project's own model definitions: check, then do, then write it down.

Each change adds a revision, which costs computed under it name; stored costs stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Max
from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.audit.services import Actor
from apps.core.errors import InvalidRequest, NotFound
from apps.core.ids import new_id
from apps.core.patterns import written_out
from apps.organizations.models import Project
from apps.pricing import catalogue
from apps.pricing.drafts import ModelDraft, Refused
from apps.pricing.models import CatalogueVersion, ModelDefinition, PriceRevision, PricingTier

MAX_MODELS = 1000  # a project's own definitions; all their patterns may run for one new name
MAX_PATTERNS = 1_500_000  # characters of all of them, written out: every process holds them compiled

# Of a definition that a project names itself. Managed ones have a colon, and more of them come with updates.
_OWN_ID = re.compile(r"[A-Za-z0-9_.-]{1,100}")


def create_model(*, actor: Actor, project: Project, draft: ModelDraft, model_id: str = "") -> ModelDefinition:
    """A new definition of a project. InvalidRequest when the name is taken or there are too many."""
    with _taken_at_once(draft), transaction.atomic():
        own = ModelDefinition.objects.select_for_update().filter(project_id=project.id)
        if own.count() >= MAX_MODELS:
            raise InvalidRequest(
                _("a project has at most %(n)d models of its own; delete some first") % {"n": MAX_MODELS}
            )
        if PriceRevision.objects.filter(definition_id=model_id).exists():  # costs name them by this id
            raise InvalidRequest(f"id: {model_id} was the id of a model that is deleted; choose another")
        _check_fits(project.id, draft, except_id="")
        model = ModelDefinition(id=model_id or new_id(), project_id=project.id, revision=1, **_columns(draft))
        model.save(force_insert=True)
        _write_tiers(actor, model, draft)
        _record(actor, "create", project, model, after=content(draft))
    return model


def put_model(*, actor: Actor, project: Project, model_id: str, draft: ModelDraft) -> ModelDefinition:
    """Make a project's definition with this id, or give it other contents. NotFound when the id is that of
    somebody else's, InvalidRequest when it cannot be one."""
    model = ModelDefinition.objects.filter(id=model_id).first()
    if model is None:
        if not _OWN_ID.fullmatch(model_id):
            raise InvalidRequest("id: letters, digits, _, . and - only, at most 100 of them")
        return create_model(actor=actor, project=project, draft=draft, model_id=model_id)
    if model.project_id != project.id:
        raise NotFound(f"There is no model {model_id} that this project could change.")
    replace_model(actor=actor, project=project, model=model, draft=draft)
    return model


def replace_model(*, actor: Actor, project: Project, model: ModelDefinition, draft: ModelDraft) -> None:
    """Give a project's definition other contents, as a new revision."""
    before = _content_in_force(model)
    if before == content(draft):
        return
    with _taken_at_once(draft), transaction.atomic():
        _check_fits(project.id, draft, except_id=model.id)
        last = PriceRevision.objects.filter(definition_id=model.id).aggregate(last=Max("number"))["last"] or 0
        for name, value in _columns(draft).items():
            setattr(model, name, value)
        model.revision = last + 1
        model.save()
        model.tiers.all().delete()
        _write_tiers(actor, model, draft)
        _record(actor, "update", project, model, before=before, after=content(draft))


def delete_model(*, actor: Actor, project: Project, model: ModelDefinition) -> None:
    """Remove a project's definition; its revisions stay, so that old costs can be explained."""
    with transaction.atomic():
        before, id_ = _content_in_force(model), model.id
        model.delete()
        model.id = id_
        _touch()
        _record(actor, "delete", project, model, before=before)


def content(draft: ModelDraft) -> dict[str, Any]:
    """A definition as revisions keep it: JSON with prices as text."""
    return {
        "name": draft.name,
        "matchPattern": draft.match_pattern,
        "startDate": draft.start_date.isoformat() if draft.start_date else None,
        "unit": draft.unit,
        "tokenizerId": draft.tokenizer_id or None,
        "tokenizerConfig": dict(draft.tokenizer_config),
        "tiers": [tier.as_json() for tier in draft.tiers],
    }


def _columns(draft: ModelDraft) -> dict[str, Any]:
    return {
        "name": draft.name,
        "match_pattern": draft.match_pattern,
        "start_date": draft.start_date,
        "unit": draft.unit,
        "tokenizer_id": draft.tokenizer_id,
        "tokenizer_config": dict(draft.tokenizer_config),
    }


def _write_tiers(actor: Actor, model: ModelDefinition, draft: ModelDraft) -> None:
    PricingTier.objects.bulk_create(tier.row(model.id) for tier in draft.tiers)
    PriceRevision.objects.create(
        definition_id=model.id,
        number=model.revision,
        content=content(draft),
        origin=(actor.label or actor.kind)[:100],
    )
    _touch()


@contextmanager
def _taken_at_once(draft: ModelDraft) -> Iterator[None]:
    """Two requests at the same moment pass the same checks; the database takes one."""
    try:
        yield
    except IntegrityError as error:
        words = _("%(name)s was changed by another request; try again") % {"name": draft.name}
        raise Refused("modelName:", words) from error


def _check_fits(project_id: str, draft: ModelDraft, *, except_id: str) -> None:
    """Beside the project's other definitions."""
    others = ModelDefinition.objects.filter(project_id=project_id).exclude(id=except_id)
    patterns = dict(others.values_list("name", "match_pattern"))
    if draft.name in patterns:
        words = _("the project has a model named %(name)s already; choose another name or change that one")
        raise Refused("modelName:", words % {"name": draft.name})
    if sum(map(written_out, (*patterns.values(), draft.match_pattern))) > MAX_PATTERNS:
        words = _(
            "with their counted repeats, as in {10}, written out, the patterns of the project's models come"
            " to too much; make some simpler"
        )
        raise Refused("matchPattern:", words)


def _content_in_force(model: ModelDefinition) -> dict[str, Any] | None:
    revision = PriceRevision.objects.filter(definition_id=model.id, number=model.revision).first()
    return revision.content if revision else None


def _touch() -> None:
    """Let this process notice at once, every other within a second."""
    transaction.on_commit(catalogue.look_again)
    CatalogueVersion.objects.get_or_create(scope=CatalogueVersion.PROJECTS)
    CatalogueVersion.objects.filter(scope=CatalogueVersion.PROJECTS).update(number=F("number") + 1)


def _record(
    actor: Actor,
    action: str,
    project: Project,
    model: ModelDefinition,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    audit.record(
        actor,
        action,
        "model",
        model.id,
        before=before,
        after=after,
        organization_id=project.organization_id,
        project_id=project.id,
    )
