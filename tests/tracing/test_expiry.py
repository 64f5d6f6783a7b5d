"""Retention: what is too old goes, the rest and everybody else's stays, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.core.clock import from_datetime
from apps.organizations import administration, retention
from apps.organizations.models import Project
from apps.telemetry.gate import Gate, gate
from apps.tracing import deletion, erasure, expiry, repository
from apps.tracing.deletions import Expired, TraceDeletion
from apps.tracing.media import services, storage
from apps.tracing.media.models import Media
from apps.tracing.media.services import Announcement
from apps.tracing.records import Observation, Score
from apps.tracing.writer import Writer, forget
from apps.usage import plans
from apps.usage.budget_models import Plan
from tests import factories
from tests.support import media
from tests.tracing.spans import root, span
from tests.tracing.tables import TABLES, everywhere, left

NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)
HOUR = 3_600_000_000
DAY = 24 * HOUR


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deletions follow each other at once, in small steps."""
    monkeypatch.setattr(expiry, "PAUSE", 0.0)
    monkeypatch.setattr(expiry, "BATCH", 2)
    monkeypatch.setattr(expiry, "PAGE", 3)


def ago(days: float) -> int:
    return from_datetime(NOW) - int(days * DAY)


def kept(project: Project, days: int) -> Project:
    Project.objects.filter(pk=project.pk).update(retention_days=days)
    project.refresh_from_db()
    return project


def send(writer: Writer, project: Project, trace: str, *days: float) -> None:
    """A trace whose spans began so many days ago, and a score on it."""
    records: list[Observation | Score] = [
        (root if not place else span)(
            project.id, trace, **({"id": "root"} if not place else {"id": f"s{place}"}),
            start_time=ago(each), received_at=ago(each),
        )
        for place, each in enumerate(days)
    ]  # fmt: skip
    writer.commit([*records, Score(project.id, f"of {trace}", "quality", ago(min(days)), trace_id=trace)])


def rows(project: Project) -> list[Any]:
    """Every row that a project has anywhere."""
    return [
        gate().query(
            f"SELECT * FROM {table} WHERE project_id = {{p:String}} ORDER BY ALL",
            {"p": project.id},
            purpose="test",
        )
        for table in TABLES
    ]


def told(project: Project) -> list[Any]:
    entries = AuditEntry.objects.filter(action="expire", resource_id=project.id).order_by("pk")
    return [entry.before for entry in entries]


def test_what_is_older_goes(writer: Writer) -> None:
    ours, theirs, forever = kept(factories.project(), 7), kept(factories.project(), 30), factories.project()
    for project in (ours, theirs, forever):
        for trace, days in {"a": 8.7, "b": 9, "c": 20, "d": 7.6, "e": 0.1}.items():
            send(writer, project, trace, days)
    before = rows(theirs), rows(forever)
    assert expiry.expire(NOW) > 0
    assert left(ours.id) == everywhere("d", "e")  # whole days are kept, and what is left of the first one
    assert (rows(theirs), rows(forever)) == before
    assert told(ours) == [{"traces": 3, "shortened": 0, "scores": 0, "retentionDays": 7}]
    assert not told(theirs) and not Expired.objects.exists() and not TraceDeletion.objects.exists()
    assert expiry.expire(NOW) == 0
    assert expiry.expire(NOW + timedelta(days=1)) > 0
    assert left(ours.id) == everywhere("e")


def test_what_comes_late_goes_with_the_next_run(writer: Writer) -> None:
    ours = kept(factories.project(), 7)
    old = ago(50)
    writer.commit([root(ours.id, "a", start_time=old, received_at=ago(0))])
    assert left(ours.id)["traces"] == {"a"}
    expiry.expire(NOW)
    assert left(ours.id) == everywhere()


def test_a_trace_that_goes_on_loses_its_oldest_observations(writer: Writer) -> None:
    ours = kept(factories.project(), 7)
    send(writer, ours, "long", 20, 15, 3, 0.2)
    send(writer, ours, "night", 8.2, 7.6)  # over the edge by less than a day: stays whole until it is older
    expiry.expire(NOW)
    trace = repository.get_trace(ours.id, "long")
    assert trace is not None and trace.observation_count == 2
    assert left(ours.id) == everywhere("long", "night")
    io = gate().query(
        "SELECT DISTINCT id FROM observation_io WHERE project_id = {p:String} AND trace_id = 'long'",
        {"p": ours.id}, purpose="test",
    )  # fmt: skip
    assert {row[0] for row in io} == {"s2", "s3"}
    assert told(ours) == [{"traces": 0, "shortened": 1, "scores": 0, "retentionDays": 7}]
    expiry.expire(NOW)
    assert len(told(ours)) == 1  # nothing is left to shorten
    writer.commit([span(ours.id, "long", "s4", start_time=ago(0.1), received_at=ago(0.1))])
    trace = repository.get_trace(ours.id, "long")
    assert trace is not None and trace.observation_count == 3


def test_a_clock_that_was_ahead_keeps_nothing_for_ever(writer: Writer) -> None:
    ours = kept(factories.project(), 7)
    writer.commit([root(ours.id, "a", start_time=ago(-9000), received_at=ago(9))])
    writer.commit([root(ours.id, "b", start_time=ago(-9000), received_at=ago(1))])
    expiry.expire(NOW)
    assert left(ours.id)["traces"] == {"b"}


def test_scores_on_other_things_go_by_their_own_time(writer: Writer) -> None:
    ours = kept(factories.project(), 7)
    send(writer, ours, "a", 0.5)
    given_at = {"s1": 9, "s2": 8.8, "s3": 7.1, "s4": 30, "s5": 1}
    writer.commit(
        [Score(ours.id, id, "quality", ago(at), session_id="session") for id, at in given_at.items()]
    )
    expiry.expire(NOW)
    found = gate().query(
        "SELECT id FROM scores WHERE project_id = {p:String}", {"p": ours.id}, purpose="test"
    )
    assert {row[0] for row in found} == {"s3", "s5", "of a"}
    assert told(ours) == [{"traces": 0, "shortened": 0, "scores": 3, "retentionDays": 7}]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Files of one test alone."""
    monkeypatch.setattr(django_settings, "DATA_DIR", tmp_path)
    storage.storage.cache_clear()
    yield tmp_path / "media"
    storage.storage.cache_clear()


def test_files_go_with_what_used_them(writer: Writer, folder: Path) -> None:
    ours, theirs = kept(factories.project(), 7), factories.project()

    def attach(project: Project, content: bytes, trace: str, observation: str = "", **place: str) -> None:
        wanted = Announcement(
            "image/png", len(content), media.sha256(content), "input", trace, observation, **place
        )
        services.keep(project.id, wanted, content)

    for project in (ours, theirs):
        send(writer, project, "old", 20)
        send(writer, project, "long", 20, 0.2)
        attach(project, b"old", "old")
        attach(project, b"early", "long", "root")
        attach(project, b"late", "long", "s1")
        attach(project, b"whole", "long")
        attach(project, b"never", "never came")
        attach(project, b"shared", "old")
        attach(project, b"shared", "", dataset_id="d", dataset_item_id="i")
    Media.objects.update(requested_at=NOW - timedelta(days=9))
    attach(ours, b"new", "not here yet")
    Media.objects.filter(requested_at__gt=NOW - timedelta(days=8)).update(requested_at=NOW)
    expiry.expire(NOW)
    left_over: dict[str, set[bytes]] = {project: set() for project in (ours.id, theirs.id)}
    for row in Media.objects.all():
        left_over[row.project_id].add((folder / row.key).read_bytes())
    assert left_over[ours.id] == {b"late", b"whole", b"shared", b"new"}
    assert left_over[theirs.id] == {b"old", b"early", b"late", b"whole", b"never", b"shared"}
    assert {path.read_bytes() for path in folder.rglob("*") if path.is_file()} == set.union(
        *left_over.values()
    )


class Cut(BaseException):
    """A kill, as far as one process can tell."""


def cut_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> Iterator[None]:
    left_over = [steps]

    def counted(original: Any) -> Any:
        def step(*arguments: Any, **named: Any) -> Any:
            if left_over[0] <= 0:
                raise Cut
            left_over[0] -= 1
            return original(*arguments, **named)

        return step

    with monkeypatch.context() as patched:
        for owner, name in (
            (Gate, "query"), (Gate, "execute"), (Gate, "insert"), (TraceDeletion, "save"),
            (TraceDeletion, "delete"), (Expired, "delete"), (erasure, "erase_copies"),
        ):  # fmt: skip
            patched.setattr(owner, name, counted(getattr(owner, name)))
        yield


@pytest.mark.parametrize("steps", range(0, 60, 7))
def test_a_run_may_be_cut_anywhere(writer: Writer, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    ours, theirs = kept(factories.project(), 7), factories.project()
    for project in (ours, theirs):
        for trace, days in {"a": 8.7, "b": 20, "c": 9, "e": 0.1}.items():
            send(writer, project, trace, days)
        send(writer, project, "long", 20, 0.2)
        writer.commit([Score(project.id, "own", "quality", ago(9), session_id="s")])
    before = rows(theirs)
    for _ in cut_after(monkeypatch, steps):
        try:
            expiry.expire(NOW)
        except Cut:
            forget()
    deletion.finish_deletions()
    expiry.expire(NOW)
    assert left(ours.id) == everywhere("e", "long")
    trace = repository.get_trace(ours.id, "long")
    assert trace is not None and trace.observation_count == 1
    assert rows(theirs) == before
    sums = {name: sum(each[name] for each in told(ours)) for name in ("traces", "shortened", "scores")}
    assert sums["traces"] == 3 and sums["scores"] == 1 and sums["shortened"] in (1, 2)


def test_a_run_ends_when_its_time_is_over_and_the_next_goes_on(writer: Writer) -> None:
    ours = kept(factories.project(), 7)
    for place in range(5):
        send(writer, ours, f"t{place}", 9 + place)
    assert expiry.expire(NOW, seconds=0) == 0
    assert len(left(ours.id)["traces"]) == 5
    expiry.expire(NOW)
    assert left(ours.id) == everywhere()


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_delete_and_tell_once(writer: Writer) -> None:
    ours, theirs = kept(factories.project(), 7), factories.project()
    for project in (ours, theirs):
        for place in range(9):
            send(writer, project, f"t{place}", 9 + place)
        send(writer, project, "long", 20, 0.2)
    before = rows(theirs)
    barrier = Barrier(2)

    def run() -> int:
        barrier.wait()
        try:
            return expiry.expire(NOW)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(run) for _ in range(2)]
        assert all(each.result() for each in done)
    assert left(ours.id) == everywhere("long")
    assert rows(theirs) == before
    assert sum(each["traces"] for each in told(ours)) == 9
    assert sum(each["shortened"] for each in told(ours)) == 1
    assert not TraceDeletion.objects.exists() and not Expired.objects.exists()


when = st.floats(0, 40, allow_nan=False)
traces_of = st.dictionaries(st.sampled_from("abcdef"), st.lists(when, min_size=1, max_size=3), max_size=6)


@given(st.lists(st.tuples(st.sampled_from([0, 3, 7, 30]), traces_of), min_size=2, max_size=3))
@settings(
    max_examples=8,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@pytest.mark.django_db
def test_each_project_keeps_what_it_says_and_no_other_is_touched(
    projects: list[tuple[int, dict[str, list[float]]]],
) -> None:
    forget()
    writer = Writer()
    try:
        made = [(kept(factories.project(), days), days, traces) for days, traces in projects]
        for project, _, traces in made:
            for trace, ages in traces.items():
                send(writer, project, trace, *ages)
        untouched = {project.id: rows(project) for project, days, _ in made if not days}
        expiry.expire(NOW)
        for project, days, traces in made:
            if not days:
                assert rows(project) == untouched[project.id]
                continue
            since = from_datetime(expiry.kept_since(days, NOW))
            staying = {name for name, ages in traces.items() if ago(min(ages)) >= since}
            assert left(project.id)["traces"] == staying
            oldest = gate().query(
                "SELECT min(toUnixTimestamp64Micro(start_time)) FROM observations"
                " WHERE project_id = {p:String} AND id != ''",
                {"p": project.id},
                purpose="test",
            )[0][0]
            assert not staying or oldest >= since - DAY
    finally:
        writer.close()


# --- plans ------------------------------------------------------------------------------------------------


def limited(project: Project, days: int | None, now: datetime) -> None:
    """Put the project's organization on a plan that keeps so many days."""
    plan, _ = Plan.objects.update_or_create(id="short", defaults={"name": "Short", "retention_days": days})
    if plans.plan_of(project.organization_id) is None:
        plans.assign(actor=SYSTEM, organization=project.organization, plan_id=plan.id)
    retention.note_caps([project.organization_id], now)


def of(project: Project, now: datetime) -> retention.Retention:
    return retention.retention_of(Project.objects.select_related("organization").get(pk=project.pk), now)


def test_a_plan_that_keeps_less_acts_after_its_grace(writer: Writer) -> None:
    ours = factories.project()
    send(writer, ours, "a", 40)
    send(writer, ours, "b", 1)
    Plan.objects.update_or_create(id="short", defaults={"name": "Short", "retention_days": None})
    limited(ours, None, NOW)
    limited(ours, 30, NOW)
    assert of(ours, NOW) == retention.Retention(0, 0, 30, NOW + retention.GRACE)
    assert of(ours, NOW).will_be == 30
    expiry.expire(NOW)
    expiry.expire(NOW + retention.GRACE - timedelta(seconds=1))
    assert left(ours.id) == everywhere("a", "b")
    assert of(ours, NOW + retention.GRACE) == retention.Retention(30, 0, 30, None)
    expiry.expire(NOW + retention.GRACE)
    assert left(ours.id) == everywhere("b")


def test_the_shorter_of_setting_and_plan_counts(db: None) -> None:
    ours = kept(factories.project(), 7)
    limited(ours, 30, NOW)
    later = NOW + timedelta(days=20)
    assert of(ours, NOW).days == of(ours, later).days == 7
    kept(ours, 90)
    assert (of(ours, NOW).days, of(ours, later).days) == (90, 30)


def test_a_longer_limit_acts_at_once_and_a_shorter_one_gets_its_grace_anew(db: None) -> None:
    ours = factories.project()
    limited(ours, 30, NOW)
    later = NOW + timedelta(days=20)
    limited(ours, 90, later)
    assert of(ours, later).days == 90
    limited(ours, 60, later)
    assert of(ours, later).days == 0
    assert of(ours, later + retention.GRACE).days == 60
    limited(ours, None, later)
    assert of(ours, later + retention.GRACE).days == 0
    assert AuditEntry.objects.filter(
        resource_type="organization", resource_id=ours.organization_id, actor_kind="system"
    ).exists()


def test_changing_a_plan_notes_its_limit_at_once(db: None) -> None:
    ours = factories.project()
    plans.assign(actor=SYSTEM, organization=ours.organization, plan_id="hobby")
    ours.organization.refresh_from_db()
    assert ours.organization.retention_cap == 30
    plans.change_plan(actor=SYSTEM, plan_id="hobby", values={"retention_days": 14})
    ours.organization.refresh_from_db()
    assert ours.organization.retention_cap == 14
    plans.release(actor=SYSTEM, organization=ours.organization)
    ours.organization.refresh_from_db()
    assert (ours.organization.retention_cap, ours.organization.retention_cap_from) == (None, None)
    assert administration.LEAST_RETENTION == 3


def test_one_that_fails_again_and_again_keeps_no_other(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it written down anew in each run."""
    ours, theirs = kept(factories.project(), 7), kept(factories.project(), 7)
    for project in (ours, theirs):
        for trace, days in {"a": 30, "b": 29, "c": 20, "d": 19, "e": 1}.items():
            send(writer, project, trace, days)
    settle = deletion.settle

    def broken(opened: Gate, asked: TraceDeletion) -> None:
        if "a" in asked.trace_ids or "of a" in asked.score_ids:
            raise OverflowError("as planned")
        settle(opened, asked)

    with monkeypatch.context() as patch:
        patch.setattr(deletion, "settle", broken)
        for _ in range(2):
            expiry.expire(NOW)
            for project in (ours, theirs):
                assert left(project.id)["observations"] == {"a", "b", "e"}
                assert TraceDeletion.objects.filter(project_id=project.id, score_ids=[]).count() == 1
    deletion.finish_deletions()
    assert left(ours.id) == left(theirs.id) == everywhere("e")
