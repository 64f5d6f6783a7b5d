"""Reading prompts; every question names the project."""

from __future__ import annotations

from collections.abc import Iterable

from apps.prompts.models import MAX_NUMBER, NAME_LENGTH, Kind, PromptVersion
from apps.prompts.references import Node, Reference


def is_name(text: str) -> bool:
    """Whether this could be a prompt's name; asked before a database is that refuses odd text."""
    return 0 < len(text) <= NAME_LENGTH and "\0" not in text


def find_version(project_id: str, name: str, *, number: int | None, label: str) -> PromptVersion | None:
    """A prompt's version by its number, or else by a label; with its prompt, labels and tags."""
    if not is_name(name):
        return None
    versions = PromptVersion.objects.filter(prompt__project_id=project_id, prompt__name=name)
    versions = versions.filter(labels__name=label) if number is None else versions.filter(number=number)
    return versions.select_related("prompt").prefetch_related("labels", "prompt__tags").first()


def find_node(project_id: str, reference: Reference) -> Node | None:
    """What a reference means now."""
    versions = PromptVersion.objects.filter(prompt__project_id=project_id, prompt__name=reference.name)
    if reference.number is None:
        versions = versions.filter(labels__name=reference.label)
    else:
        versions = versions.filter(number=reference.number)
    version = versions.select_related("prompt").first()
    return None if version is None else node(version)


def node(version: PromptVersion) -> Node:
    """A version as resolving sees it."""
    prompt = version.prompt
    return Node(version.id, prompt.name, version.number, prompt.kind == Kind.TEXT, version.content)


def version_ids(project_id: str, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int | None], str]:
    """Ids of the versions that observations name by prompt name and number; unknown ones are left out.

    One query for any number of them, none for none.
    """
    pairs = {(name, number) for name, number in wanted if is_name(name) and 0 < number <= MAX_NUMBER}
    if not pairs:
        return {}
    rows = PromptVersion.objects.filter(
        prompt__project_id=project_id,
        prompt__name__in={name for name, _ in pairs},
        number__in={number for _, number in pairs},
    ).values_list("prompt__name", "number", "id")
    return {(name, number): id_ for name, number, id_ in rows if (name, number) in pairs}
