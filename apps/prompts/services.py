"""Everything that changes prompts: check, then do, then write it down.

Changes of one prompt wait for each other at its row, so that version numbers never meet and a label is
never lost between two versions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.models import AuditEntry
from apps.audit.services import Actor
from apps.core.errors import Forbidden, InvalidRequest, NotFound, Unavailable
from apps.organizations.models import Project
from apps.prompts import queries
from apps.prompts.drafts import VersionDraft
from apps.prompts.models import (
    LATEST,
    Prompt,
    PromptLabel,
    PromptReference,
    PromptTag,
    PromptVersion,
    ProtectedLabel,
)
from apps.prompts.references import Node, Unresolvable, references, resolve

BY_API = "API"  # who made what a key made
_TRIES = 5  # for a name that somebody deletes at the same moment
_SHOWN = 5  # prompts named in a refusal


def create_version(
    *, actor: Actor, project: Project, draft: VersionDraft, may_move_protected: bool
) -> PromptVersion:
    """The next version of a prompt, which takes `latest` and the draft's labels away from the others.

    InvalidRequest when the prompt is of another type or refers to what cannot be put in; Forbidden when a
    label is protected and `may_move_protected` is not given.
    """
    with transaction.atomic():
        prompt = _made(project, draft)
        newest = prompt.versions.aggregate(newest=Max("number"))["newest"] or 0
        if newest and prompt.kind != draft.kind:
            raise InvalidRequest(
                f"type: prompt {draft.name} is of type {prompt.kind}; give this one another name"
            )
        version = PromptVersion(
            prompt=prompt,
            number=newest + 1,
            content=draft.content,
            config=draft.config,
            commit_message=draft.commit_message,
            created_by=actor.id if actor.kind == AuditEntry.Kind.PERSON else BY_API,
        )
        _check_resolvable(project, version)
        _check_protected(project, draft.labels, may_move_protected)
        version.save(force_insert=True)
        _write_references(project, version)
        _move_labels(version, [*draft.labels, LATEST])
        if draft.tags is not None:
            _set_tags(version, draft.tags)
        labels = list(dict.fromkeys([*draft.labels, LATEST]))
        _record(actor, "create", project, version, after={"labels": labels, "type": prompt.kind})
    return version


def add_labels(
    *,
    actor: Actor,
    project: Project,
    name: str,
    number: int,
    labels: Collection[str],
    may_move_protected: bool,
) -> PromptVersion:
    """Put labels on a version, away from the others of its prompt; those it has stay. NotFound when there
    is no such version, InvalidRequest for `latest`, which belongs to the newest."""
    if LATEST in labels:
        raise InvalidRequest(f"newLabels: {LATEST} is always on the newest version and cannot be moved")
    with transaction.atomic():
        prompt = _locked(project, name)
        version = prompt.versions.filter(number=number).first() if prompt else None
        if version is None:
            raise NotFound(f"There is no version {number} of a prompt {name} in this project.")
        _check_protected(project, labels, may_move_protected)
        before = _labels(version)
        _move_labels(version, [name for name in labels if name not in before])
        after = _labels(version)
        if after != before:
            _record(actor, "update", project, version, before={"labels": before}, after={"labels": after})
    return version


def delete_versions(
    *,
    actor: Actor,
    project: Project,
    name: str,
    number: int | None,
    label: str,
    may_move_protected: bool,
) -> None:
    """Delete the versions of a prompt with this number and this label; all when neither is given.

    NotFound when there is none; InvalidRequest while other prompts refer to what would be gone.
    """
    with transaction.atomic():
        prompt = _locked(project, name)
        chosen = prompt.versions.all() if prompt else PromptVersion.objects.none()
        if number is not None:
            chosen = chosen.filter(number=number)
        if label:
            chosen = chosen.filter(labels__name=label)
        versions = list(chosen.order_by("number"))
        if prompt is None or not versions:
            raise NotFound(f"There is no such version of a prompt {name} in this project.")
        ids = [version.id for version in versions]
        gone = set(PromptLabel.objects.filter(version__in=ids).values_list("name", flat=True))
        left = prompt.versions.exclude(id__in=ids).order_by("-number").first()
        lost = gone - {LATEST} if left else gone
        _check_protected(project, gone - {LATEST}, may_move_protected)
        _check_not_needed(prompt, {version.number for version in versions}, lost)
        for version in versions:
            _record(actor, "delete", project, version, before={"labels": _labels(version)})
        if left is None:
            prompt.delete()
            return
        PromptVersion.objects.filter(id__in=ids).delete()
        if LATEST in gone:
            _move_labels(left, [LATEST])


def protect_label(*, actor: Actor, project: Project, label: str) -> None:
    """From now on this label is moved by those alone who may."""
    with transaction.atomic():
        _, is_new = ProtectedLabel.objects.get_or_create(project=project, name=label)
        if is_new:
            _record_protection(actor, "create", project, label)


def unprotect_label(*, actor: Actor, project: Project, label: str) -> None:
    """Whoever may write prompts moves this label again."""
    with transaction.atomic():
        removed, _ = ProtectedLabel.objects.filter(project=project, name=label).delete()
        if removed:
            _record_protection(actor, "delete", project, label)


# --- one prompt at a time -----------------------------------------------------------------------------------


def _locked(project: Project, name: str) -> Prompt | None:
    """The prompt, which nobody else changes until the transaction ends."""
    if not queries.is_name(name):
        return None
    return Prompt.objects.select_for_update().filter(project=project, name=name).first()


def _made(project: Project, draft: VersionDraft) -> Prompt:
    """The prompt of this name, made when there is none, locked."""
    for _ in range(_TRIES):
        Prompt.objects.get_or_create(project=project, name=draft.name, defaults={"kind": draft.kind})
        prompt = _locked(project, draft.name)
        if prompt is not None:
            return prompt
    raise Unavailable(f"Prompt {draft.name} is being deleted again and again. Try later.", retry_after=1)


def _move_labels(version: PromptVersion, names: Sequence[str]) -> None:
    held = PromptLabel.objects.filter(prompt_id=version.prompt_id, name__in=names).exclude(version=version)
    losers = set(held.values_list("version_id", flat=True))
    held.delete()
    had = set(_labels(version))
    added = [name for name in dict.fromkeys(names) if name not in had]  # clients see them in this order
    PromptLabel.objects.bulk_create(
        PromptLabel(prompt_id=version.prompt_id, version=version, name=name) for name in added
    )
    if added:
        version.updated_at = timezone.now()
        PromptVersion.objects.filter(id__in=[*losers, version.id]).update(updated_at=version.updated_at)


def _set_tags(version: PromptVersion, tags: Collection[str]) -> None:
    """Tags belong to all versions: a change is one of each."""
    own = PromptTag.objects.filter(prompt_id=version.prompt_id)
    if set(own.values_list("name", flat=True)) == set(tags):
        return
    own.delete()
    PromptTag.objects.bulk_create(PromptTag(prompt_id=version.prompt_id, name=tag) for tag in tags)
    version.updated_at = timezone.now()
    PromptVersion.objects.filter(prompt_id=version.prompt_id).update(updated_at=version.updated_at)


def _write_references(project: Project, version: PromptVersion) -> None:
    PromptReference.objects.bulk_create(
        PromptReference(
            project=project,
            version=version,
            name=reference.name,
            number=reference.number,
            label=reference.label,
        )
        for reference in references(version.content)
    )


def _labels(version: PromptVersion) -> list[str]:
    return sorted(PromptLabel.objects.filter(version=version).values_list("name", flat=True))


# --- checks -------------------------------------------------------------------------------------------------


def _check_resolvable(project: Project, version: PromptVersion) -> None:
    node = Node(version.id, version.prompt.name, version.number, False, version.content)
    try:
        resolve(node, lambda reference: queries.find_node(project.id, reference))
    except Unresolvable as error:
        raise InvalidRequest(f"prompt: {error}") from error


def _check_protected(project: Project, labels: Collection[str], may_move: bool) -> None:
    if may_move or not labels:
        return
    held = ProtectedLabel.objects.filter(project=project, name__in=list(labels))
    names = sorted(held.values_list("name", flat=True))
    if names:
        raise Forbidden(f"These labels are protected: {', '.join(names)}. Ask an admin of the project.")


def _check_not_needed(prompt: Prompt, numbers: Collection[int], labels: Collection[str]) -> None:
    """Refuses to take away versions or labels that other prompts refer to."""
    users = PromptReference.objects.filter(project_id=prompt.project_id, name=prompt.name)
    users = users.exclude(version__prompt=prompt)
    needed = [
        f"{name} (version {number})"
        for name, number, version, label in users.order_by("version__prompt__name").values_list(
            "version__prompt__name", "version__number", "number", "label"
        )
        if version in numbers or label in labels
    ]
    if needed:
        more = f" and {len(needed) - _SHOWN} more" if len(needed) > _SHOWN else ""
        raise InvalidRequest(
            f"Prompt {prompt.name} is part of {', '.join(needed[:_SHOWN])}{more}."
            " Change or delete those first."
        )


def _record(
    actor: Actor,
    action: str,
    project: Project,
    version: PromptVersion,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    named = {"name": version.prompt.name, "version": version.number}
    audit.record(
        actor,
        action,
        "prompt",
        version.id,
        before=named | before if before is not None else None,
        after=named | after if after is not None else None,
        organization_id=project.organization_id,
        project_id=project.id,
    )


def _record_protection(actor: Actor, action: str, project: Project, label: str) -> None:
    audit.record(
        actor,
        action,
        "protectedPromptLabel",
        label,
        organization_id=project.organization_id,
        project_id=project.id,
    )
