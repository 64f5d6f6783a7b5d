"""Versions of items against a model that keeps all of them: every past stays as it was."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.audit.services import SYSTEM
from apps.core.errors import NotFound
from apps.datasets import services
from apps.datasets.models import ItemVersion
from apps.datasets.services import DatasetDraft, ItemDraft
from tests import factories

IDS = ("a", "b")
STEPS = st.tuples(
    st.sampled_from(["write", "archive", "activate", "delete"]), st.sampled_from(IDS), st.integers(0, 3)
)
State = dict[str, tuple[Any, str]]  # item -> input, status


def apply(project: str, state: State, step: tuple[str, str, int]) -> State:
    """The state behind a step, which is taken in the store too."""
    what, id, value = step
    known = state.get(id)
    if what == "delete":
        if known is None:
            with pytest.raises(NotFound):
                services.delete_item(project, id, SYSTEM)
            return state
        services.delete_item(project, id, SYSTEM)
        return {key: value for key, value in state.items() if key != id}
    status = {"archive": "ARCHIVED", "activate": "ACTIVE"}.get(what, "")
    given_input = value if what == "write" else None
    services.upsert_item(project, ItemDraft("d", id, input=given_input, status=status))
    before = known or (None, "ACTIVE")
    return {**state, id: (before[0] if given_input is None else given_input, status or before[1])}


def stored(project: str, at: Any = None) -> State:
    rows = services.items(project, services.get_dataset(project, "d"), at)
    return {row.item_id: (row.input, row.status) for row in rows}


@pytest.mark.django_db
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=1, max_size=10))
def test_every_past_stays_as_it_was(django_db_blocker: Any, steps: list[tuple[str, str, int]]) -> None:
    project = factories.project().id
    services.upsert_dataset(project, DatasetDraft("d"), SYSTEM)
    state: State = {}
    history: list[tuple[Any, State]] = []
    for step in steps:
        state = apply(project, state, step)
        rows = ItemVersion.objects.filter(project_id=project)
        moments = [moment for row in rows for moment in (row.valid_from, row.valid_to) if moment]
        if moments:
            history.append((max(moments), state))
        assert stored(project) == state
    latest = dict(history)  # of several steps within a millisecond only the last is a moment of its own
    for moment, past in latest.items():
        assert stored(project, moment) == past
    check_intervals(project)


def check_intervals(project: str) -> None:
    """Versions of an item follow one another without overlap, in whole milliseconds."""
    for id in IDS:
        rows = list(ItemVersion.objects.filter(project_id=project, item_id=id).order_by("valid_from"))
        for row, following in pairwise(rows):
            assert row.valid_to is not None
            assert row.valid_from < row.valid_to <= following.valid_from
        assert all(row.valid_from.microsecond % 1000 == 0 for row in rows)


@pytest.mark.django_db
def test_a_list_of_items_is_two_queries(django_assert_max_num_queries: Any) -> None:
    project = factories.project().id
    dataset = services.upsert_dataset(project, DatasetDraft("d"), SYSTEM)
    for number in range(5):
        services.upsert_item(project, ItemDraft("d", str(number), input=number))
    with django_assert_max_num_queries(1, connection=connection):
        assert [row.dataset.name for row in services.items(project, dataset)] == ["d"] * 5
