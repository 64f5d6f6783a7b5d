"""What is no longer looked at goes: counts of old windows, and that their thresholds were passed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.organizations.models import Project
from apps.tracing import deletion
from apps.tracing.deletions import Settled
from apps.usage import counters, queries, tasks
from apps.usage.budget_models import BudgetCount, Crossing, QuotaNotice, UnitCount
from tests.usage.budgeting import budget
from tests.usage.scene import EVER, START, Scene, count


def test_old_rows_go_so_many_a_night(home: Project, monkeypatch: pytest.MonkeyPatch):
    made, now = budget(home.organization), timezone.now()
    for days in (0, 69, 71, 399, 401, 402, 900):
        then = now - timedelta(days=days)
        BudgetCount.objects.create(budget=made, bucket=then)
        UnitCount.objects.create(organization_id=home.organization_id, hour=then)
        Crossing.objects.create(budget=made, window_start=then, percent=80, amount=days, limit=9)
        QuotaNotice.objects.create(organization=home.organization, cycle_start=then.date(), percent=80)
    monkeypatch.setattr(counters, "MAX_FORGOTTEN", 2)
    assert [tasks.forget_counts() for _ in range(3)] == [5 + 5 + 2 + 2, 1 + 1, 0]
    assert sorted(Crossing.objects.values_list("amount", flat=True)) == [0, 69, 71, 399]
    assert QuotaNotice.objects.count() == 4
    assert (BudgetCount.objects.count(), UnitCount.objects.count()) == (2, 2)


def test_crossings_go_with_their_budget(home: Project):
    made = budget(home.organization)
    Crossing.objects.create(budget=made, window_start=timezone.now(), percent=80, amount=8, limit=9)
    made.delete()
    assert not Crossing.objects.exists()


def test_many_deleted_scores_are_one_row(scene: Scene):
    """These rows stay for good; a trace may have any number of scores."""
    scene.send(scene.span("t", "a", start_time=START, received_at=START))
    for n in range(50):
        scene.judge(f"s{n}", "t", 0, 1)
    deletion.delete_traces(SYSTEM, scene.project.id, ["t"])
    of_scores = Settled.objects.filter(project_id=scene.project.id, scores__gt=0)
    assert list(of_scores.values_list("scores", flat=True)) == [50]
    count()
    assert queries.units([scene.project.id], *EVER) == 51
