"""Units of organizations on a plan are counted as they come in, until the meter has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.core.clock import from_datetime, now_micros
from apps.organizations.models import Project
from apps.tracing.records import Observation, Score
from apps.usage import plans, quotas
from apps.usage.budget_models import UnitCount
from apps.usage.meter_models import Clock, HourState, MeterEntry, Progress
from tests.tracing.spans import SECOND, root, span
from tests.usage.budgeting import Store


def test_units_are_counted_for_quotas(home: Project, store: Store):
    plans.assign(actor=SYSTEM, organization=home.organization, plan_id="hobby")
    now = now_micros()
    sent = [
        root(home.id, "t", start_time=now, received_at=now),
        span(home.id, "t", "a", start_time=now, received_at=now),
        span(home.id, "t", "b", start_time=now, received_at=now, is_infrastructure=True),
    ]
    store(sent)
    assert sum(UnitCount.objects.values_list("units", flat=True)) == 3
    store([root(home.id, "t", start_time=now + SECOND * 0, received_at=now)])  # again
    standing = quotas.standing(home.organization_id)
    assert standing is not None and standing.used == 3


def on_plan(home: Project) -> None:
    """Put the organization on a plan, so that its units are counted."""
    plans.assign(actor=SYSTEM, organization=home.organization, plan_id="hobby")


def test_units_count_in_the_hour_in_which_they_were_received(home: Project, store: Store):
    on_plan(home)
    received = timezone.now() - timedelta(hours=1)
    at = from_datetime(received)
    store([root(home.id, "t", start_time=at, received_at=at)])
    hour = received.replace(minute=0, second=0, microsecond=0)
    assert list(UnitCount.objects.values_list("hour", "units")) == [(hour, 2)]


def test_what_was_counted_yields_to_the_meter_once_that_has_the_whole_hour(home: Project):
    hour = datetime(2026, 11, 21, 10, tzinfo=UTC)
    organization = home.organization_id
    MeterEntry.objects.create(organization_id=organization, project_id=home.id, hour=hour, spans=5)
    UnitCount.objects.create(organization_id=organization, hour=hour, units=8)
    span_of = (organization, hour, hour + timedelta(hours=1))
    assert quotas.used(*span_of) == 8  # nobody has looked
    progress = Progress.objects.create(looked_until=hour + timedelta(minutes=70))
    assert quotas.used(*span_of) == 8  # what came at its end may not have been seen
    progress.looked_until = hour + timedelta(hours=3)
    progress.save()
    state = HourState.objects.create(
        organization_id=organization, project_id=home.id, clock=Clock.RECEIVED, hour=hour, due_at=hour,
        waiting_since=hour + timedelta(minutes=10),
    )  # fmt: skip
    assert quotas.used(*span_of) == 8  # seen, not counted
    HourState.objects.filter(pk=state.pk).update(waiting_since=hour + timedelta(hours=2))
    assert quotas.used(*span_of) == 5  # only something late is not


def test_an_observation_twice_in_one_batch_and_then_again_is_one(home: Project, store: Store):
    on_plan(home)
    now = now_micros()

    def sent() -> list[Observation | Score]:
        return [
            root(home.id, "t", start_time=now, received_at=now, end_time=now + n * SECOND) for n in (1, 2, 3)
        ]

    store(sent())
    assert sum(UnitCount.objects.values_list("units", flat=True)) == 2
    store(sent())
    later = root(home.id, "t", start_time=now, received_at=now, end_time=now + 9 * SECOND)
    store([later, root(home.id, "t", start_time=now, received_at=now, end_time=now + 10 * SECOND)])
    assert sum(UnitCount.objects.values_list("units", flat=True)) == 2
