"""Whatever is done to a prompt in whatever order, its versions and labels keep their rules."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.audit.services import SYSTEM
from apps.core.errors import Forbidden, InvalidRequest, NotFound
from apps.prompts import services
from apps.prompts.drafts import read_draft
from apps.prompts.models import PromptLabel, PromptVersion, ProtectedLabel
from tests import factories

LABELS = ["production", "a", "b"]
some_labels = st.lists(st.sampled_from(LABELS), max_size=2, unique=True)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("create"), some_labels),
        st.tuples(st.just("label"), st.integers(1, 5), some_labels),
        st.tuples(st.just("delete"), st.none() | st.integers(1, 5), st.sampled_from(["", "latest", *LABELS])),
    ),
    min_size=1,
    max_size=10,
)


class Model:
    """What should be there: labels by version number."""

    def __init__(self) -> None:
        self.versions: dict[int, set[str]] = {}

    def give(self, number: int, labels: set[str]) -> None:
        for held in self.versions.values():
            held -= labels
        self.versions[number] |= labels

    def create(self, labels: list[str]) -> None:
        number = max(self.versions, default=0) + 1
        self.versions[number] = set()
        self.give(number, {*labels, "latest"})

    def chosen(self, number: int | None, label: str) -> list[int]:
        return [
            version
            for version, held in self.versions.items()
            if number in (None, version) and (not label or label in held)
        ]

    def delete(self, chosen: list[int]) -> None:
        for number in chosen:
            del self.versions[number]
        if self.versions:
            self.give(max(self.versions), {"latest"})


def stored() -> dict[int, set[str]]:
    """What is there."""
    found: dict[int, set[str]] = {row.number: set() for row in PromptVersion.objects.all()}
    for row in PromptLabel.objects.select_related("version"):
        found[row.version.number].add(row.name)
    return found


@pytest.mark.django_db
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_any_order(steps: list[Any]):
    with transaction.atomic():
        project, model = factories.project(), Model()
        common: dict[str, Any] = {"actor": SYSTEM, "project": project, "may_move_protected": False}
        for kind, *arguments in steps:
            if kind == "create":
                (labels,) = arguments
                draft = read_draft({"name": "p", "prompt": "x", "labels": labels})
                services.create_version(draft=draft, **common)
                model.create(labels)
            elif kind == "label":
                number, labels = arguments
                if number in model.versions:
                    services.add_labels(name="p", number=number, labels=labels, **common)
                    model.give(number, set(labels))
                else:
                    with pytest.raises(NotFound):
                        services.add_labels(name="p", number=number, labels=labels, **common)
            else:
                number, label = arguments
                chosen = model.chosen(number, label)
                if chosen:
                    services.delete_versions(name="p", number=number, label=label, **common)
                    model.delete(chosen)
                else:
                    with pytest.raises(NotFound):
                        services.delete_versions(name="p", number=number, label=label, **common)
            assert stored() == model.versions
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_protected_labels():
    project = factories.project()
    services.protect_label(actor=SYSTEM, project=project, label="production")
    services.protect_label(actor=SYSTEM, project=project, label="production")
    common: dict[str, Any] = {"actor": SYSTEM, "project": project}
    draft = read_draft({"name": "p", "prompt": "x", "labels": ["production"]})
    free = read_draft({"name": "p", "prompt": "x", "labels": ["a"]})
    with pytest.raises(Forbidden, match="production"):
        services.create_version(draft=draft, may_move_protected=False, **common)
    services.create_version(draft=draft, may_move_protected=True, **common)
    services.create_version(draft=free, may_move_protected=False, **common)
    move: dict[str, Any] = {"name": "p", "number": 2, "labels": ["production"], **common}
    with pytest.raises(Forbidden):
        services.add_labels(may_move_protected=False, **move)
    for number in (1, None):
        with pytest.raises(Forbidden):
            services.delete_versions(name="p", number=number, label="", may_move_protected=False, **common)
    services.delete_versions(name="p", number=2, label="", may_move_protected=False, **common)
    services.unprotect_label(actor=SYSTEM, project=project, label="production")
    services.delete_versions(name="p", number=1, label="", may_move_protected=False, **common)
    assert not ProtectedLabel.objects.exists() and not PromptVersion.objects.exists()
    with pytest.raises(InvalidRequest):
        services.add_labels(may_move_protected=True, **{**move, "labels": ["latest"]})
