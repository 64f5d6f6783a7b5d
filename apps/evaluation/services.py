"""Everything that makes, finds and forgets comments: check, then do, then write it down."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from apps.audit import services as audit
from apps.audit.services import Actor
from apps.core.errors import InvalidBody, Issue, NotFound
from apps.core.ids import is_tenant_id
from apps.evaluation.models import Comment
from apps.organizations.access import organization_role
from apps.organizations.models import Project
from apps.prompts.models import PromptVersion
from apps.tracing import repository, sessions

_AT_ONCE = 500  # traces in one statement


@dataclass(frozen=True, slots=True)
class Draft:
    """What a comment is to be."""

    object_type: str  # one of Comment.Subject
    object_id: str
    content: str
    author_id: str = ""  # of a person; empty: nobody's in particular


def create(*, actor: Actor, project: Project, draft: Draft) -> Comment:
    """A new comment. Raises InvalidBody for an author who is no member, NotFound for an object that is not
    there."""
    author = _author(project, draft.author_id)
    trace_id = _FIND[draft.object_type](project.id, draft.object_id)
    if trace_id is None:
        raise NotFound(f"There is no {draft.object_type.lower()} {draft.object_id} in this project.")
    with transaction.atomic():
        comment = Comment.objects.create(
            project=project,
            object_type=draft.object_type,
            object_id=draft.object_id,
            object_hash=_hash(draft.object_type, draft.object_id),
            trace_hash=_hash(trace_id) if trace_id else "",
            content=draft.content,
            author_id=author,
        )
        audit.record(
            actor,
            "create",
            "comment",
            comment.id,
            after={"objectType": draft.object_type, "objectId": draft.object_id},
            organization_id=project.organization_id,
            project_id=project.id,
        )
    return comment


def find(
    project_id: str, *, object_type: str = "", object_id: str = "", author_id: str = ""
) -> QuerySet[Comment]:
    """Comments of a project, newest first; each argument that is not empty narrows them."""
    rows = Comment.objects.filter(project=project_id)
    if object_id:
        rows = rows.filter(object_hash=_hash(object_type, object_id))
    elif object_type:
        rows = rows.filter(object_type=object_type)
    if author_id:
        number = _number(author_id)
        rows = rows.none() if number is None else rows.filter(author=number)
    return rows.order_by("-created_at", "-id")


def get(project_id: str, comment_id: str) -> Comment:
    """One comment. Raises NotFound."""
    rows = Comment.objects.filter(project=project_id, id=comment_id)
    found = rows.first() if is_tenant_id(comment_id) else None
    if found is None:
        raise NotFound(f"There is no comment {comment_id} in this project.")
    return found


def forget(project_id: str, trace_ids: frozenset[str] | None) -> None:
    """Delete the comments on some traces and their observations, or all of a project (None)."""
    rows = Comment.objects.filter(project=project_id)
    if trace_ids is None:
        rows.delete()
        return
    hashes = [_hash(trace_id) for trace_id in trace_ids]
    for start in range(0, len(hashes), _AT_ONCE):
        rows.filter(trace_hash__in=hashes[start : start + _AT_ONCE]).delete()


def _author(project: Project, author_id: str) -> int | None:
    if not author_id:
        return None
    number = _number(author_id)
    if number is None or organization_role(number, project.organization_id) is None:
        message = "There is no member of the organization with this id"
        raise InvalidBody([Issue("custom", ("authorUserId",), message)])
    return number


def _number(user_id: str) -> int | None:
    """A person's id as the database has it."""
    return int(user_id) if user_id.isascii() and user_id.isdigit() and len(user_id) <= 18 else None


def _hash(*texts: str) -> str:
    """32 hex digits."""
    whole = hashlib.blake2b(digest_size=16)
    for text in texts:
        whole.update(f"{len(text)}:{text}".encode())
    return whole.hexdigest()


# --- what is commented on: the trace it belongs to, "" for none, None when it is not there ----------------


def _trace(project_id: str, trace_id: str) -> str | None:
    return None if repository.get_trace(project_id, trace_id) is None else trace_id


def _observation(project_id: str, observation_id: str) -> str | None:
    return repository.traces_of(project_id, [observation_id]).get(observation_id)


def _session(project_id: str, session_id: str) -> str | None:
    return "" if sessions.traces_of(project_id, session_id, limit=1) else None


def _prompt(project_id: str, version_id: str) -> str | None:
    if not is_tenant_id(version_id):
        return None
    rows = PromptVersion.objects.filter(prompt__project=project_id, id=version_id)
    return "" if rows.exists() else None


_FIND: Mapping[str, Callable[[str, str], str | None]] = {
    Comment.Subject.TRACE: _trace,
    Comment.Subject.OBSERVATION: _observation,
    Comment.Subject.SESSION: _session,
    Comment.Subject.PROMPT: _prompt,
}
