"""The demo: the same story at every telling, believable, and safe to tell again."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest

from apps.accounts.models import User
from apps.core.clock import from_datetime
from apps.ingestion.demo import load_demo
from apps.ingestion.demo.calendar import observations_between, observations_of
from apps.ingestion.demo.loader import ORGANIZATION_ID, PROJECT_ID
from apps.ingestion.demo.verdicts import verdicts
from apps.organizations.models import Membership, Project
from apps.pricing import catalogue, library, seed
from apps.tracing import repository
from apps.tracing.costing import repricing
from apps.tracing.costing.candidates import Range
from apps.tracing.costing.models import Repricing
from apps.tracing.media import references, services
from apps.tracing.records import Observation, ObservationType, TraceFilter
from apps.tracing.writer import Writer

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
DAY = 86_400_000_000


@pytest.fixture(scope="module")
def story() -> list[Observation]:
    until = from_datetime(NOW)
    return [step for day in observations_between("p", until - 14 * DAY, until) for step in day]


def test_a_day_is_always_the_same(story: list[Observation]) -> None:
    day = NOW.date() - timedelta(days=3)
    assert [asdict(step) for step in observations_of("p", day)] == [
        asdict(step) for step in observations_of("p", day)
    ]


def test_later_tellings_continue_where_the_last_one_ended(story: list[Observation]) -> None:
    until = from_datetime(NOW)
    middle = until - 5 * DAY - 3_600_000_000
    parts = [
        step.id
        for since, end in ((until - 14 * DAY, middle), (middle, until))
        for day in observations_between("p", since, end)
        for step in day
    ]
    # A trace that began before the middle and ended after it belongs to neither part.
    missing = {step.trace_id for step in story if step.id not in set(parts)}
    assert len(parts) == len(set(parts))
    assert len(missing) <= 2


def test_traces_are_judged(story: list[Observation]) -> None:
    judged = verdicts(story)
    assert judged == verdicts(story)
    assert len({score.id for score in judged}) == len(judged)
    assert {score.trace_id for score in judged} <= {step.trace_id for step in story}
    assert {score.source for score in judged} == {"API", "EVAL", "ANNOTATION"}
    assert {str(score.type) for score in judged} == {"NUMERIC", "BOOLEAN", "CATEGORICAL"}
    assert any(score.comment for score in judged)


def test_it_shows_what_the_program_can_show(story: list[Observation]) -> None:
    assert 2_000 <= len(story) <= 8_000
    assert {step.type for step in story} == set(ObservationType)
    assert {step.level.value for step in story} >= {"DEFAULT", "WARNING", "ERROR"}
    assert {step.environment for step in story} == {"production", "staging", "development", "evaluation"}
    assert len({step.model for step in story}) >= 7
    assert len({step.trace.user_id for step in story}) >= 40
    sessions = Counter(step.trace.session_id for step in story if step.trace.session_id)
    assert max(sessions.values()) >= 3
    assert any("\u4e00" <= letter <= "\u9fff" for step in story for letter in step.input[:40])
    assert len({step.start_time // DAY for step in story}) >= 14


def test_every_trace_is_one_tree_in_order_of_time(story: list[Observation]) -> None:
    traces: dict[str, dict[str, Observation]] = defaultdict(dict)
    for step in story:
        traces[step.trace_id][step.id] = step
    for steps in traces.values():
        roots = [step for step in steps.values() if not step.parent_id]
        assert len(roots) == 1
        assert roots[0].is_root
        for step in steps.values():
            end = step.end_time or step.start_time
            assert step.start_time <= (step.completion_start_time or step.start_time) <= end
            assert end <= step.received_at <= from_datetime(NOW)
            if step.parent_id:
                parent = steps[step.parent_id]
                assert parent.start_time <= step.start_time
                assert end <= (parent.end_time or 0)


def test_requests_and_queries_around_model_work_are_infrastructure(story: list[Observation]) -> None:
    plumbing = [step for step in story if step.is_infrastructure]
    assert 0.15 < len(plumbing) / len(story) < 0.5
    assert not any(step.input or step.output or step.model or step.usage for step in plumbing)
    assert {step.service_name for step in plumbing} == {"kestrel-web", "kestrel-assistant"}
    requests = {step.id for step in plumbing if step.is_root}
    entries = [step for step in story if step.is_entry]
    assert requests == {step.parent_id for step in entries}
    assert all(step.trace.name and not step.is_root for step in entries)


def test_cached_tokens_are_part_of_the_input_once(story: list[Observation]) -> None:
    for step in story:
        parts = sum(units for key, units in step.usage.items() if key != "total")
        assert not step.usage or step.usage["total"] == parts


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("passing_ledger")
def test_loading_it_twice_stores_it_once(django_user_model: type[User]) -> None:
    seed.apply(library.read())
    admin = django_user_model.objects.create_superuser("admin@example.com")
    writer = Writer()
    try:
        until = from_datetime(NOW)
        added = load_demo(writer, until - DAY)
        assert added > 1500
        assert load_demo(writer, until - DAY) == 0
        assert 0 < load_demo(writer, until) < added / 5
        Project.objects.filter(id=PROJECT_ID).update(
            metadata={}
        )  # as if the first loading had been cut short
        load_demo(writer, until)
    finally:
        writer.close()
        catalogue.forget()
    traces = {step.trace_id for day in observations_between("p", until - 15 * DAY, until) for step in day}
    stored = repository.count_traces(PROJECT_ID, TraceFilter())
    assert len(traces) - 5 <= stored <= len(traces)
    wanted = [
        found.media_id
        for day in observations_between("p", until - 5 * DAY, until)
        for step in day
        for found in references.find(step.input)
    ]
    assert wanted and all(services.get(PROJECT_ID, media_id).uploaded_at for media_id in wanted)
    run = Repricing.objects.get(project=PROJECT_ID)  # of a price that was typed wrongly
    repricing.run(run.id)
    run.refresh_from_db()
    assert run.state == "done" and run.changed == run.total > 20
    left = repricing.preview(Range(PROJECT_ID, until - 3 * DAY, until))
    assert left.changed > 5 and all(day.difference < 0 for day in left.days)
    page = repository.list_traces(PROJECT_ID, TraceFilter(names=("order-agent",)), limit=5)
    assert all(trace.total_cost and trace.input_preview and trace.user_id for trace in page.traces)
    assert Membership.objects.get(organization=ORGANIZATION_ID).user == admin
