"""Plans: what there is to begin with, who is on which, and when cycles begin."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.core.errors import Forbidden, InvalidRequest, NotFound
from apps.organizations import administration
from apps.usage import plans, quotas
from apps.usage.budget_models import Plan
from tests import factories

days = st.dates(date(2020, 1, 1), date(2040, 12, 31))


@given(anchor=days, on=days)
def test_a_day_lies_in_its_cycle_and_cycles_follow_each_other(anchor: date, on: date):
    cycle = plans.cycle(anchor, on)
    assert cycle.start <= on < cycle.end
    assert plans.cycle(anchor, cycle.end).start == cycle.end
    assert plans.cycle(anchor, cycle.start - timedelta(days=1)).end == cycle.start


@pytest.mark.parametrize(
    ("anchor", "on", "start", "end"),
    [
        (date(2026, 1, 31), date(2026, 2, 28), date(2026, 2, 28), date(2026, 3, 31)),
        (date(2026, 1, 31), date(2026, 2, 27), date(2026, 1, 31), date(2026, 2, 28)),
        (date(2028, 1, 30), date(2028, 2, 29), date(2028, 2, 29), date(2028, 3, 30)),
        (date(2026, 5, 15), date(2026, 1, 3), date(2025, 12, 15), date(2026, 1, 15)),
    ],
)
def test_month_ends_and_leap_days(anchor: date, on: date, start: date, end: date):
    assert plans.cycle(anchor, on) == plans.Cycle(start, end)


def test_plans_to_begin_with(db: None):
    developer = Plan.objects.get(id="hobby")
    assert (developer.included_units, developer.hard_limit_units) == (100_000, 100_000)
    assert [plan.id for plan in plans.offered()] == ["hobby", "pro", "team"]


def test_without_a_row_nothing_is_limited(db: None):
    assert plans.plan_of(factories.organization().id) is None


def test_assigning_sets_the_rates_too_and_keeps_the_cycle(db: None):
    organization = factories.organization()
    row = plans.assign(actor=SYSTEM, organization=organization, plan_id="hobby", anchor=date(2026, 1, 31))
    organization.refresh_from_db()
    assert organization.plan == "hobby"
    assert plans.assign(actor=SYSTEM, organization=organization, plan_id="pro").period_anchor == (
        row.period_anchor
    )
    plans.release(actor=SYSTEM, organization=organization)
    assert plans.plan_of(organization.id) is None
    assert AuditEntry.objects.filter(resource_type="organizationPlan").count() == 3


def test_an_unknown_plan(db: None):
    with pytest.raises(NotFound):
        plans.assign(actor=SYSTEM, organization=factories.organization(), plan_id="none")


def test_a_hard_limit_below_what_is_included(db: None):
    with pytest.raises(InvalidRequest):
        plans.change_plan(actor=SYSTEM, plan_id="pro", values={"hard_limit_units": 5})


def test_terms_change_for_those_who_are_on_the_plan(db: None, django_capture_on_commit_callbacks):
    organization = factories.organization()
    plans.assign(actor=SYSTEM, organization=organization, plan_id="hobby")
    quotas.forget()
    assert quotas.standing_cached(organization.id).quota == 100_000
    with django_capture_on_commit_callbacks(execute=True):
        plans.change_plan(
            actor=SYSTEM,
            plan_id="hobby",
            values={"hard_limit_units": None, "included_units": 5, "rate_plan": "core"},
        )
    assert quotas.standing_cached(organization.id).quota == 5
    organization.refresh_from_db()
    assert organization.plan == "core"
    entry = AuditEntry.objects.get(resource_type="plan")
    assert (entry.before, entry.after) == (
        {"included_units": 100_000, "hard_limit_units": 100_000, "rate_plan": "hobby"},
        {"included_units": 5, "hard_limit_units": None, "rate_plan": "core"},
    )


def test_lifting(db: None):
    organization = factories.organization()
    with pytest.raises(NotFound):
        plans.spare(actor=SYSTEM, organization=organization, until=None)
    plans.assign(actor=SYSTEM, organization=organization, plan_id="hobby")
    until = datetime(2026, 2, 1, tzinfo=UTC)
    plans.spare(actor=SYSTEM, organization=organization, until=until)
    assert plans.plan_of(organization.id).lifted_until == until


def test_a_plan_has_room_for_so_many_members(db: None):
    organization = factories.organization(owner=factories.user())
    plans.assign(actor=SYSTEM, organization=organization, plan_id="hobby")
    factories.member(organization, "MEMBER")
    with pytest.raises(Forbidden, match="2 members"):
        factories.member(organization, "MEMBER")
    plans.assign(actor=SYSTEM, organization=organization, plan_id="pro")
    factories.member(organization, "MEMBER")


def test_a_plan_keeps_traces_for_so_long(db: None):
    project = factories.project()
    change = partial(administration.update_project, actor=SYSTEM, project=project, name=project.name)
    change(metadata=None, retention=90)
    plans.assign(actor=SYSTEM, organization=project.organization, plan_id="hobby")
    change(metadata=None, retention=90)  # as it is
    with pytest.raises(Forbidden, match="30 days"):
        change(metadata=None, retention=60)
    change(metadata=None, retention=7)
