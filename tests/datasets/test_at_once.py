"""Many write the same at once: none is lost in silence, and no version overlaps another."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from django.db import connections

from apps.audit.services import SYSTEM
from apps.core.errors import Conflict
from apps.datasets import runs, services
from apps.datasets.models import Dataset, DatasetRun, ItemVersion, RunItem
from apps.datasets.runs import RunItemDraft
from apps.datasets.services import DatasetDraft, ItemDraft
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

TIMES = 12


def at_once(call: Callable[[int], Any]) -> int:
    """Call with 0, 1, …, from several threads; how many were told of a conflict."""

    def one(number: int) -> bool:
        try:
            call(number)
        except Conflict:
            return True
        finally:
            connections.close_all()
        return False

    with ThreadPoolExecutor(4) as threads:
        return sum(threads.map(one, range(TIMES)))


def test_one_item() -> None:
    project = factories.project().id
    services.upsert_dataset(project, DatasetDraft("d"), SYSTEM)
    refused = at_once(lambda number: services.upsert_item(project, ItemDraft("d", "i", input=number)))
    rows = list(ItemVersion.objects.filter(project_id=project).order_by("valid_from"))
    assert len(rows) == TIMES - refused
    assert all(row.valid_to == following.valid_from for row, following in pairwise(rows))
    assert rows[-1].valid_to is None


def test_one_dataset() -> None:
    project = factories.project().id
    assert not at_once(
        lambda number: services.upsert_dataset(project, DatasetDraft("d", metadata=number), SYSTEM)
    )
    assert Dataset.objects.filter(project_id=project).count() == 1


def test_one_run() -> None:
    project = factories.project().id
    services.upsert_dataset(project, DatasetDraft("d"), SYSTEM)
    services.upsert_item(project, ItemDraft("d", "i"))
    # Clients run items side by side, and some do not ask twice.
    assert not at_once(lambda number: runs.add_item(project, RunItemDraft("r", "i", f"t{number}", "")))
    assert DatasetRun.objects.filter(project_id=project).count() == 1
    assert RunItem.objects.filter(project_id=project).count() == TIMES
