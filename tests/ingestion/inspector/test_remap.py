"""Mapping again what is stored: shown first, then done, in the background, once, and never half."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from hypothesis import given, settings

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.core import runs
from apps.core.clock import now_micros
from apps.core.errors import Conflict, InvalidRequest, NotFound, TooLarge, Unavailable
from apps.core.runs import LEASE
from apps.ingestion import otlp
from apps.ingestion.embedded import take_media_out
from apps.ingestion.inspector import remap
from apps.ingestion.mapping.shapes import Context
from apps.ingestion.mapping.spans import map_spans
from apps.ingestion.models import Remap
from apps.organizations.models import Project, Role
from apps.pricing import catalogue
from apps.tracing import received_rows, repository
from apps.tracing.costing import estimates
from apps.tracing.costs import add_prices
from apps.tracing.media.models import Media
from apps.tracing.received_rows import received_between
from apps.tracing.records import Observation
from apps.tracing.stored import prepare
from apps.tracing.writer import Writer
from tests import factories
from tests.ingestion.inspector.test_respan import spans
from tests.pricing.factories import catalogue_of, definition, tier
from tests.support import media
from tests.support.otlp import request
from tests.support.waiting import wait_until
from tests.tracing.conftest import writer

__all__ = ["writer"]

ATTRIBUTES = {
    "langfuse.observation.type": "generation",
    "langfuse.observation.model.name": "gpt-4o",
    "langfuse.observation.input": "hello",
    "langfuse.observation.usage_details": '{"input": 1000, "output": 10}',
    "langfuse.observation.metadata.password": "hush",
    "user.id": "u",
}


@pytest.fixture
def project(transactional_db: None) -> Project:
    """A project of this test alone."""
    return factories.project()


def mapped(project: Project, *sent: dict[str, Any]) -> list[Observation]:
    """Observations as they are mapped now, received now."""
    context = Context(project.id, received_at=now_micros())
    observations = map_spans(otlp.decode_protobuf(request(*sent), context.received_at).spans, context)
    add_prices(observations)
    return observations


def as_before(observation: Observation) -> Observation:
    """As an earlier mapping may have had it."""
    return replace(observation, model="", usage={}, cost={}, total_cost=None, type="SPAN", input="hello")


def last_hour() -> tuple[int, int]:
    until = now_micros()
    return until - 3_600_000_000, until


def only(project: Project, trace_id: str) -> Any:
    [row] = repository.list_observations(project.id, trace_id, content=True)
    return row


def test_a_preview_shows_and_changes_nothing(project: Project, writer: Writer):
    [now] = mapped(project, {"attributes": ATTRIBUTES})
    writer.commit([as_before(replace(now))])
    seen = remap.preview(project.id, *last_hour())
    assert (seen.total, seen.outcome.read, seen.outcome.changed, seen.is_whole) == (1, 1, 1, True)
    assert {"model", "usage.input", "type"} <= set(seen.outcome.fields)
    example = next(e for e in seen.outcome.examples if e.field == "model")
    assert (example.before, example.after, example.observation_id) == ("", "gpt-4o", now.id)
    assert only(project, now.trace_id).model == ""


def test_a_run_makes_it_so(project: Project, writer: Writer):
    first, second = mapped(project, {"attributes": ATTRIBUTES}, {"name": "the same as ever"})
    writer.commit([as_before(replace(first)), replace(second)])
    run = remap.start(actor=SYSTEM, project=project, since=last_hour()[0], until=last_hour()[1])
    assert remap.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.total, run.read, run.changed) == ("done", 2, 2, 1)
    assert run.fields["model"] == 1 and run.ended_at is not None
    row = only(project, first.trace_id)
    assert (row.model, row.type, row.usage["input"], row.metadata["password"]) == (
        "gpt-4o", "GENERATION", 1000, "hush"
    )  # fmt: skip
    summary = repository.get_trace(project.id, first.trace_id)
    assert summary is not None and summary.models == ("gpt-4o",) and summary.observation_count == 1
    again = remap.preview(project.id, *last_hour())
    assert (again.outcome.read, again.outcome.changed) == (2, 0)
    assert not remap.run(run.id)  # over
    assert AuditEntry.objects.filter(action="remap", project_id=project.id).count() == 1


def test_prices_are_those_of_now(project: Project, writer: Writer, monkeypatch: pytest.MonkeyPatch):
    [unpriced] = mapped(project, {"attributes": ATTRIBUTES})
    writer.commit([replace(unpriced)])
    prices = catalogue_of(definition("gpt-4o", "gpt-4o", tier(input="0.01", output="0.1")))
    monkeypatch.setattr(catalogue, "current", lambda: prices)
    [example] = [
        e for e in remap.preview(project.id, *last_hour()).outcome.examples if e.field == "total_cost"
    ]
    assert (example.before, example.after) == ("", "11")
    run = remap.start(actor=SYSTEM, project=project, since=last_hour()[0], until=last_hour()[1])
    remap.run(run.id)
    assert only(project, unpriced.trace_id).total_cost == 11
    monkeypatch.setattr(catalogue, "current", lambda: catalogue_of())
    assert remap.preview(project.id, *last_hour()).outcome.changed == 0  # a known cost does not get lost


def test_what_cannot_be_mapped_again_stays(project: Project, writer: Writer):
    whole, told = mapped(project, {"attributes": ATTRIBUTES}, {"name": "by events"})
    writer.commit([as_before(replace(whole)), replace(told, source="batch", said={"name": 2}, model="kept")])
    writer.commit([replace(whole, status_message="a second arrival")])
    seen = remap.preview(project.id, *last_hour())
    assert seen.outcome.skipped == {"merged": 1, "batch": 1} and seen.outcome.changed == 0


def test_estimated_usage_stays(project: Project, writer: Writer, monkeypatch: pytest.MonkeyPatch):
    silent = {key: value for key, value in ATTRIBUTES.items() if "usage" not in key}
    [now] = mapped(project, {"attributes": silent})
    writer.commit([replace(now)])
    monkeypatch.setattr(estimates, "SETTLED", 0)
    estimates.estimate_missing()
    row = only(project, now.trace_id)
    assert row.is_estimated and row.usage
    assert remap.preview(project.id, *last_hour()).outcome.changed == 0
    run = remap.start(actor=SYSTEM, project=project, since=last_hour()[0], until=last_hour()[1])
    remap.run(run.id)
    assert only(project, now.trace_id) == row


def test_what_arrives_meanwhile_is_not_lost(project: Project, writer: Writer):
    [now] = mapped(project, {"attributes": ATTRIBUTES})
    writer.commit([as_before(replace(now))])
    [row] = received_between(project.id, *last_hour()).rows
    writer.commit([replace(now, output="a later word")])
    writer.replace([replace(now)], [row.arrivals])
    assert only(project, now.trace_id).output == "a later word"
    [row] = received_between(project.id, *last_hour()).rows
    writer.replace([replace(now, name="anew")], [row.arrivals])
    assert only(project, now.trace_id).name == "anew"


def test_only_what_was_asked_for(project: Project, writer: Writer):
    other = factories.project()
    [old], [foreign] = mapped(project, {"attributes": ATTRIBUTES}), mapped(other, {"attributes": ATTRIBUTES})
    old.received_at -= 2 * 3_600_000_000
    writer.commit([as_before(old), as_before(foreign)])
    assert remap.preview(project.id, *last_hour()).total == 0
    assert remap.preview(other.id, *last_hour()).total == 1


def test_of_one_service(project: Project, writer: Writer):
    first, second = mapped(project, {"attributes": ATTRIBUTES}, {"attributes": ATTRIBUTES})
    parts = json.loads(first.attributes) | {"resource": {"service.name": "web"}}
    web = replace(as_before(first), service_name="web", attributes=json.dumps(parts))
    writer.commit([web, as_before(second)])
    since, until = last_hour()
    seen = remap.preview(project.id, since, until, "web")
    assert (seen.total, seen.outcome.changed) == (1, 1)
    run = remap.start(actor=SYSTEM, project=project, since=since, until=until, service="web")
    remap.run(run.id)
    run.refresh_from_db()
    assert (run.total, run.read, run.changed) == (1, 1, 1)
    assert only(project, first.trace_id).model and not only(project, second.trace_id).model


def test_one_at_a_time_and_canceled(project: Project, writer: Writer):
    [now] = mapped(project, {"attributes": ATTRIBUTES})
    writer.commit([as_before(replace(now))])
    since, until = last_hour()
    run = remap.start(actor=SYSTEM, project=project, since=since, until=until)
    with pytest.raises(Conflict):
        remap.start(actor=SYSTEM, project=project, since=since, until=until)
    canceled = remap.cancel(actor=SYSTEM, project=project, id=run.id)
    assert canceled.state == "canceled" and not remap.run(run.id)
    assert only(project, now.trace_id).model == ""
    with pytest.raises(NotFound):
        remap.cancel(actor=SYSTEM, project=factories.project(), id=run.id)
    assert remap.start(actor=SYSTEM, project=project, since=since, until=until).state == "queued"


def test_a_run_that_was_left_is_gone_on_with(
    project: Project, writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    observations = mapped(project, *({"attributes": ATTRIBUTES} for _ in range(5)))
    writer.commit([as_before(replace(observation)) for observation in observations])
    since, until = last_hour()
    run = remap.start(actor=SYSTEM, project=project, since=since, until=until)
    monkeypatch.setattr(remap, "STEP", 2)
    monkeypatch.setattr(runs, "is_stopping", lambda: True)
    assert remap.run(run.id)  # one step, then the process stops
    run.refresh_from_db()
    assert (run.state, run.read) == ("running", 2)
    assert list(Remap.objects.abandoned()) == [run]
    monkeypatch.setattr(runs, "is_stopping", lambda: False)
    assert remap.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.read, run.changed) == ("done", 5, 5)


def test_large_observations_are_done_fewer_at_a_time(
    project: Project, writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    observations = mapped(project, *({"attributes": ATTRIBUTES} for _ in range(5)))
    writer.commit([as_before(replace(observation)) for observation in observations])
    since, until = last_hour()
    monkeypatch.setattr(received_rows, "MAX_CONTENT", 1)
    assert len(received_between(project.id, since, until).rows) == 1
    assert remap.preview(project.id, since, until).outcome.changed == 5
    run = remap.start(actor=SYSTEM, project=project, since=since, until=until)
    remap.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.read, run.changed) == ("done", 5, 5)


def test_files_inside_content_stay_taken_out(project: Project, writer: Writer, settings: Any):
    settings.EXTRACT_MEDIA = True
    picture = f"data:image/png;base64,{base64.b64encode(media.png()).decode()}"
    sent = {**ATTRIBUTES, "langfuse.observation.metadata.picture": picture}
    [now] = mapped(project, {"attributes": sent})
    take_media_out([now])
    assert now.metadata["picture"].startswith("@@@")
    writer.commit([replace(now)])
    assert remap.preview(project.id, *last_hour()).outcome.changed == 0
    writer.commit([replace(now, trace_id="of-before", metadata={"picture": picture})])
    Media.objects.all().delete()
    assert remap.preview(project.id, *last_hour()).outcome.fields == {"metadata": 1}
    assert Media.objects.count() == 0  # it was only looked
    since, until = last_hour()
    remap.run(remap.start(actor=SYSTEM, project=project, since=since, until=until).id)
    assert only(project, "of-before").metadata["picture"] == now.metadata["picture"]
    assert Media.objects.count() == 1


def test_the_lease_is_renewed_while_a_step_runs(
    project: Project, writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    since, until = last_hour()
    run = remap.start(actor=SYSTEM, project=project, since=since, until=until)

    def slowly(*arguments: Any, **options: Any) -> Any:
        long_ago = timezone.now() - 2 * LEASE
        Remap.objects.filter(id=run.id).update(seen_at=long_ago)
        wait_until(lambda: not Remap.objects.abandoned().exists(), "a sign of life")
        return received_between(*arguments, **options)

    monkeypatch.setattr(runs, "RENEWED_EVERY", 0.01)
    monkeypatch.setattr(remap, "received_between", slowly)
    assert remap.run(run.id)
    run.refresh_from_db()
    assert run.state == "done"


def test_a_living_run_is_left_alone(project: Project):
    since, until = last_hour()
    run = remap.start(actor=SYSTEM, project=project, since=since, until=until)
    taken = Remap.objects.claim(run.id)
    assert taken is not None and Remap.objects.claim(run.id) is None and Remap.objects.resume() == 0
    assert taken.seen_at is not None
    Remap.objects.filter(id=run.id).update(seen_at=taken.seen_at - 2 * LEASE)
    assert Remap.objects.claim(run.id) is not None


@pytest.mark.parametrize("trouble", [Unavailable("The store does not answer."), OperationalError("locked")])
def test_trouble_that_passes_ends_nothing(
    project: Project, writer: Writer, monkeypatch: pytest.MonkeyPatch, trouble: Exception
):
    def fail(*arguments: Any, **options: Any) -> Any:
        raise trouble

    [now] = mapped(project, {"attributes": ATTRIBUTES})
    writer.commit([as_before(replace(now))])
    since, until = last_hour()
    run = remap.start(actor=SYSTEM, project=project, since=since, until=until)
    with monkeypatch.context() as patched:
        patched.setattr(remap, "received_between", fail)
        assert remap.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.seen_at, run.problem) == ("running", None, "")
    assert Remap.objects.resume() == 1 and remap.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.changed, run.seen_at) == ("done", 1, None)


def test_a_step_cut_off_by_the_database_is_done_again(
    project: Project, writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    """Its rows were replaced, and how far it came could not be noted."""
    [now] = mapped(project, {"attributes": ATTRIBUTES})
    writer.commit([as_before(replace(now))])
    since, until = last_hour()
    run = remap.start(actor=SYSTEM, project=project, since=since, until=until)

    def fail(*names: str) -> None:
        raise OperationalError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(Remap, "note", fail)
        assert remap.run(run.id)
    assert only(project, now.trace_id).model == "gpt-4o"
    assert remap.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.read, run.changed) == ("done", 1, 0)


def test_what_cannot_be_ends_it_with_the_reason(project: Project, monkeypatch: pytest.MonkeyPatch):
    def fail(*arguments: Any, **options: Any) -> Any:
        raise TooLarge("Too large.")

    since, until = last_hour()
    run = remap.start(actor=SYSTEM, project=project, since=since, until=until)
    monkeypatch.setattr(remap, "received_between", fail)
    remap.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.problem, run.seen_at) == ("failed", "Too large.", None)


def test_a_canceled_run_stays_canceled(project: Project, writer: Writer, monkeypatch: pytest.MonkeyPatch):
    """Though its worker was in the middle of the last step; that step counts."""
    [now] = mapped(project, {"attributes": ATTRIBUTES})
    writer.commit([as_before(replace(now))])
    since, until = last_hour()
    run = remap.start(actor=SYSTEM, project=project, since=since, until=until)
    into = Writer.replace

    def canceled_meanwhile(*arguments: Any) -> Any:
        remap.cancel(actor=SYSTEM, project=project, id=run.id)
        return into(*arguments)

    monkeypatch.setattr(Writer, "replace", canceled_meanwhile)
    assert remap.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.changed, run.seen_at) == ("canceled", 1, None)


def test_an_unforeseen_error_ends_it_too(project: Project, writer: Writer, monkeypatch: pytest.MonkeyPatch):
    [now] = mapped(project, {"attributes": ATTRIBUTES})
    writer.commit([now])
    run = remap.start(actor=SYSTEM, project=project, since=last_hour()[0], until=last_hour()[1])
    monkeypatch.setattr(remap, "map_spans", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        remap.run(run.id)
    run.refresh_from_db()
    assert run.state == "failed" and "log" in run.problem


def test_in_chinese(project: Project, monkeypatch: pytest.MonkeyPatch):
    """What is refused, and why a run failed: a worker writes that down in no language."""
    since, until = last_hour()
    run = remap.start(actor=SYSTEM, project=project, since=since, until=until)
    monkeypatch.setattr(remap, "received_between", lambda *_, **__: 1 / 0)
    with translation.override("zh-hans"), pytest.raises(ZeroDivisionError):
        with pytest.raises(Conflict, match="已在重新映射"):
            remap.start(actor=SYSTEM, project=project, since=since, until=until)
        remap.run(run.id)
    reader = Client()
    reader.force_login(factories.member(project.organization, Role.ADMIN))
    address = reverse("ingestion:remap", args=[project.id])
    assert "log says which" in reader.get(address).content.decode()
    reader.cookies["django_language"] = "zh-hans"
    assert "发生意外错误" in reader.get(address).content.decode()
    begin = reverse("ingestion:start-remap", args=[project.id])
    answer = reader.post(begin, {"since": since, "until": until + 10**12}, follow=True)
    assert "时间段的开始必须早于结束" in answer.content.decode()


@pytest.mark.parametrize("span", [(-1, 5), (5, 5), (0, now_micros() + 10**12), (0, now_micros())])
def test_odd_ranges(project: Project, span: tuple[int, int]):
    with pytest.raises(InvalidRequest):
        remap.preview(project.id, *span)


def test_the_command(project: Project, writer: Writer):
    [now] = mapped(project, {"attributes": ATTRIBUTES})
    writer.commit([as_before(replace(now))])
    out = io.StringIO()
    call_command("remap", project.id, stdout=out)
    assert "1 of 1 observations would change" in out.getvalue() and "model: 1" in out.getvalue()
    assert only(project, now.trace_id).model == ""
    call_command("remap", project.id, "--last", "2h", "--apply", stdout=out)
    assert "done: 1 of 1 observations changed" in out.getvalue()
    assert only(project, now.trace_id).model == "gpt-4o"
    with pytest.raises(CommandError, match="no project"):
        call_command("remap", "nobody")
    with pytest.raises(CommandError, match="unit"):
        call_command("remap", project.id, "--last", "soon")


@pytest.mark.django_db
@settings(max_examples=60)
@given(spans)
def test_nothing_changes_when_the_rules_did_not(span: Any):
    context = Context("p", received_at=1)
    [observation] = map_spans(otlp.decode_protobuf(request(span), 1).spans, context)
    assert remap._change(prepare(observation), store_media=False) is None
