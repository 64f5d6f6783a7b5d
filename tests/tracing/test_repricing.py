"""Costs at corrected prices: shown first, then changed once and completely, and put back."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.core import runs
from apps.core.errors import Conflict, InvalidRequest, NotFound, Unavailable
from apps.core.runs import LEASE
from apps.organizations.models import Role
from apps.pricing import catalogue
from apps.tracing import repository
from apps.tracing.costing import repricing
from apps.tracing.costing.candidates import Range
from apps.tracing.costing.journal import by_day, pack, unpack
from apps.tracing.costing.models import UNDOABLE, Repricing
from apps.tracing.records import ObservationRow
from apps.tracing.writer import Writer
from tests import factories
from tests.support.api import Keys, check_bad, check_hidden, check_refusals
from tests.tracing.spans import SECOND, START, root
from tests.tracing.test_cost_api import commit, generation, house

HOUR = 3600 * SECOND
DAY = 24 * HOUR


@pytest.fixture
def told(transactional_db: None, ours: Keys, writer: Writer) -> Keys:
    """Calls on two days under a price that was wrong; one cost was sent, one model nobody knows."""
    house(ours)
    commit(
        writer,
        root(ours.project_id, "t", usage={}, model="", cost={}, total_cost=None),
        generation(ours, "t", "a", {"input": 1000, "output": 4, "total": 1004}),
        generation(ours, "t", "b", {"input": 10, "total": 10}),
        generation(ours, "t", "sent", {"input": 9}, provided_cost={"total": Decimal("0.125")}),
        generation(ours, "u", "later", {"input": 7}, start_time=START + DAY),
        generation(ours, "u", "unknown", {"input": 5}, model="nobody's"),
    )
    return ours


def range_of(keys: Keys, **fields: Any) -> Range:
    return Range(**({"project_id": keys.project_id, "since": START, "until": START + 2 * DAY} | fields))


def row(keys: Keys, trace: str, id: str) -> ObservationRow:
    found = repository.get_observation(keys.project_id, trace, id)
    assert found is not None
    return found


def started(keys: Keys, **fields: Any) -> Repricing:
    return repricing.start(actor=SYSTEM, project=keys.project, range_=range_of(keys, **fields))


def done(keys: Keys, **fields: Any) -> Repricing:
    run = started(keys, **fields)
    assert repricing.run(run.id)
    run.refresh_from_db()
    return run


def trace_cost(keys: Keys, id: str) -> Decimal | None:
    trace = repository.get_trace(keys.project_id, id)
    assert trace is not None
    return trace.total_cost


def test_a_preview_shows_and_changes_nothing(told: Keys):
    assert repricing.preview(range_of(told)).changed == 0
    house(told, price=0.5)
    seen = repricing.preview(range_of(told))
    assert (seen.total, seen.read, seen.changed, seen.is_whole) == (3, 3, 3, True)
    later, first = seen.days
    assert (first.observations, first.old, first.new) == (2, Decimal("1.000303"), Decimal("506"))
    assert (later.model, later.observations, later.difference) == ("house", 1, Decimal("3.4999979"))
    assert row(told, "t", "a").total_cost == Decimal("1.0003")
    assert repricing.preview(range_of(told, model="other")).total == 0
    assert repricing.preview(range_of(told, until=START + HOUR)).changed == 2


def test_a_run_makes_it_so_and_is_undone(told: Keys):
    before = [row(told, *place) for place in (("t", "a"), ("t", "b"), ("u", "later"))]
    costs = trace_cost(told, "t"), trace_cost(told, "u")
    house(told, price=0.5)
    run = done(told)
    assert (run.state, run.total, run.read, run.changed) == ("done", 3, 3, 3)
    assert [day["new"] for day in run.days] == ["3.500000000000", "506.000000000000"]
    now = row(told, "t", "a")
    assert (now.total_cost, now.price_version, now.input) == (501, "house@2", "question of a")
    assert trace_cost(told, "t") == Decimal("506.125") and trace_cost(told, "u") == Decimal("3.5")
    sent = row(told, "t", "sent")
    assert (sent.total_cost, sent.price_version) == (Decimal("0.125"), "")
    assert repricing.preview(range_of(told)).total == 0 and not repricing.run(run.id)

    assert repricing.undo(actor=SYSTEM, project=told.project, id=run.id).state == "undoing"
    assert repricing.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.restored) == ("undone", 3)
    assert [row(told, *place) for place in (("t", "a"), ("t", "b"), ("u", "later"))] == before
    assert (trace_cost(told, "t"), trace_cost(told, "u")) == costs
    with pytest.raises(Conflict):
        repricing.undo(actor=SYSTEM, project=told.project, id=run.id)
    actions = AuditEntry.objects.filter(project_id=told.project_id).values_list("action", flat=True)
    assert {"re-price", "undo re-pricing"} <= set(actions)


def test_what_had_no_price_gets_one_and_loses_it_again(told: Keys, writer: Writer):
    house(told)
    draft_price = Decimal("0.0000003")
    commit(writer, replace(generation(told, "v", "early", {"input": 10}), model="house"))
    # A model that nobody knew is known now: by another name of the same definition.
    from apps.pricing import services
    from apps.pricing.drafts import read_draft

    tiers = [{"name": "Standard", "isDefault": True, "priority": 0, "prices": {"input": 2}}]
    draft = read_draft({"modelName": "nobody", "matchPattern": "^nobody's$", "pricingTiers": tiers})
    services.put_model(actor=SYSTEM, project=told.project, model_id="nobody", draft=draft)
    catalogue.forget()
    run = done(told, model="nobody's")
    assert run.changed == 1 and run.days[0]["unpriced"] == 1
    assert row(told, "u", "unknown").total_cost == 10
    repricing.undo(actor=SYSTEM, project=told.project, id=run.id)
    repricing.run(run.id)
    found = row(told, "u", "unknown")
    assert (found.total_cost, found.cost, found.price_version) == (None, {}, "")
    assert row(told, "v", "early").total_cost == 10 * draft_price


def test_models_of_any_name(told: Keys, writer: Writer):
    odd = 'it\'s \\ "odd", ünï\ncode'
    commit(writer, generation(told, "w", "odd", {"input": 10}, model=odd))
    draft = {"modelName": "odd", "matchPattern": "(?s)^it's .+$", "unit": "TOKENS", "inputPrice": 2}
    assert told.full.put("models/odd", draft).status_code == 200
    catalogue.forget()
    for model in ("", odd):
        seen = repricing.preview(range_of(told, model=model))
        assert (seen.changed, seen.days[0].model, seen.days[0].new) == (1, odd, 20)
    assert done(told).changed == 1 and row(told, "w", "odd").total_cost == 20


def test_a_cost_that_nobody_could_work_out_any_more_stays(told: Keys):
    from apps.pricing import services
    from apps.pricing.models import ModelDefinition

    model = ModelDefinition.objects.get(id="house")
    services.delete_model(actor=SYSTEM, project=told.project, model=model)
    catalogue.forget()
    assert repricing.preview(range_of(told)).total == 0
    assert row(told, "t", "a").total_cost == Decimal("1.0003")


def test_a_run_that_was_left_is_gone_on_with(told: Keys, monkeypatch: pytest.MonkeyPatch):
    house(told, price=0.5)
    run = started(told)
    monkeypatch.setattr(repricing, "STEP", 1)
    monkeypatch.setattr(runs, "is_stopping", lambda: True)
    assert repricing.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.read, run.changed) == ("running", 1, 1)
    assert list(Repricing.objects.abandoned()) == [run]
    monkeypatch.setattr(runs, "is_stopping", lambda: False)
    assert repricing.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.changed, run.steps.count()) == ("done", 3, 3)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_in_a_step_loses_nothing(told: Keys, monkeypatch: pytest.MonkeyPatch, moment: str):
    """Between the journal and the rows, and between the rows and the note of how far it came."""
    before = row(told, "t", "a")
    house(told, price=0.5)
    run = started(told)
    amend = Writer.amend

    def cut_off(*arguments: Any) -> Any:
        if moment == "after":
            amend(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "amend", cut_off)
        with pytest.raises(KeyboardInterrupt):
            repricing.run(run.id)
    Repricing.objects.filter(id=run.id).update(seen_at=timezone.now() - 2 * LEASE)
    assert repricing.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.changed) == ("done", 3)
    assert [day["observations"] for day in run.days] == [1, 2]
    assert trace_cost(told, "t") == Decimal("506.125")
    repricing.undo(actor=SYSTEM, project=told.project, id=run.id)
    repricing.run(run.id)
    assert row(told, "t", "a") == before


def test_what_changed_since_is_not_put_back(told: Keys, writer: Writer):
    house(told, price=0.5)
    run = done(told)
    commit(writer, generation(told, "t", "a", {"input": 1}, provided_cost={"total": Decimal(3)}))
    house(told, price=0.75)
    second = done(told, until=START + HOUR)
    assert second.changed == 1  # b; a has a cost of its own now
    repricing.undo(actor=SYSTEM, project=told.project, id=run.id)
    repricing.run(run.id)
    assert row(told, "t", "a").total_cost == 3
    assert row(told, "t", "b").total_cost == Decimal("7.5")
    assert row(told, "u", "later").total_cost == Decimal("0.0000021")


def test_one_at_a_time_canceled_and_odd(told: Keys, theirs: Keys):
    house(told, price=0.5)
    run = started(told)
    with pytest.raises(Conflict):
        started(told)
    with pytest.raises(Conflict):
        repricing.undo(actor=SYSTEM, project=told.project, id=run.id)
    canceled = repricing.cancel(actor=SYSTEM, project=told.project, id=run.id)
    assert canceled.state == "canceled" and not repricing.run(run.id)
    assert row(told, "t", "a").total_cost == Decimal("1.0003")
    for change in (repricing.cancel, repricing.undo):
        with pytest.raises(NotFound):
            change(actor=SYSTEM, project=theirs.project, id=run.id)
    for odd in ({"since": -1}, {"until": START}, {"until": START + 400 * DAY}):
        with pytest.raises(InvalidRequest):
            repricing.preview(range_of(told, **odd))


@pytest.mark.parametrize("trouble", [Unavailable("The store does not answer."), OperationalError("locked")])
def test_trouble_that_passes_ends_nothing(told: Keys, monkeypatch: pytest.MonkeyPatch, trouble: Exception):
    def fail(*arguments: Any, **options: Any) -> Any:
        raise trouble

    house(told, price=0.5)
    run = started(told)
    with monkeypatch.context() as patched:
        patched.setattr(repricing, "rows_after", fail)
        repricing.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.seen_at) == ("running", None)
    assert repricing.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.changed) == ("done", 3)


def test_what_a_failed_first_step_changed_can_be_put_back(told: Keys, monkeypatch: pytest.MonkeyPatch):
    """Though it was not noted how far it came."""
    before = row(told, "t", "a")
    house(told, price=0.5)
    run = started(told)
    with monkeypatch.context() as patched:
        patched.setattr(repricing, "by_day", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            repricing.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.changed) == ("failed", 0) and run.undoable_until
    assert row(told, "t", "a").total_cost == 501
    repricing.undo(actor=SYSTEM, project=told.project, id=run.id)
    assert repricing.run(run.id)
    run.refresh_from_db()
    assert (run.state, row(told, "t", "a")) == ("undone", before)


def test_a_run_is_not_undone_before_its_worker_stopped(told: Keys, monkeypatch: pytest.MonkeyPatch):
    before = row(told, "t", "a")
    house(told, price=0.5)
    run = started(told)
    amend = Writer.amend

    def canceled_meanwhile(*arguments: Any) -> Any:
        repricing.cancel(actor=SYSTEM, project=told.project, id=run.id)
        with pytest.raises(Conflict, match="just being stopped"):
            repricing.undo(actor=SYSTEM, project=told.project, id=run.id)
        return amend(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "amend", canceled_meanwhile)
        assert repricing.run(run.id)
    run.refresh_from_db()
    assert (run.state, run.seen_at) == ("canceled", None)
    assert repricing.undo(actor=SYSTEM, project=told.project, id=run.id).state == "undoing"
    assert repricing.run(run.id)
    assert row(told, "t", "a") == before


def test_journals_are_kept_for_thirty_days(told: Keys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(repricing, "STEP", 1)
    monkeypatch.setattr(repricing, "FORGOTTEN", 2)
    house(told, price=0.5)
    old = done(told)
    house(told, price=0.75)
    young = done(told)
    days = old.days
    Repricing.objects.filter(id=old.id).update(ended_at=timezone.now() - UNDOABLE)
    old.refresh_from_db()
    assert old.undoable_until is None and young.undoable_until is not None
    with pytest.raises(Conflict, match="over too long"):
        repricing.undo(actor=SYSTEM, project=told.project, id=old.id)
    assert (old.steps.count(), young.steps.count()) == (3, 3)
    assert repricing.forget_journals() == 3 and repricing.forget_journals() == 0
    assert (old.steps.count(), young.steps.count()) == (0, 3)
    old.refresh_from_db()
    assert (old.state, old.changed, old.days) == ("done", 3, days)
    owner = Client()
    owner.force_login(factories.member(told.organization, Role.OWNER))
    page = owner.get(reverse("tracing:reprice", args=[told.project_id])).content.decode()
    assert page.count("can be undone until") == page.count("Undo</button>") == 1
    repricing.undo(actor=SYSTEM, project=told.project, id=young.id)
    Repricing.objects.filter(id=young.id).update(created_at=timezone.now() - 2 * UNDOABLE)
    assert repricing.forget_journals() == 0  # it is needed
    assert repricing.run(young.id) and row(told, "t", "a").total_cost == 501


def test_the_journal_comes_back(told: Keys):
    house(told, price=0.5)
    run = done(told)
    entries = [entry for step in run.steps.all() for entry in unpack(bytes(step.entries))]
    assert unpack(pack(entries)) == entries and len(entries) == 3
    assert [day.as_json() for day in by_day(entries)] == run.days


# --- over the API --------------------------------------------------------------------------------------


def test_the_api(told: Keys, theirs: Keys):
    house(told, price=0.5)
    asked = {"since": "2026-09-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}
    seen = told.full.post("cost/reprice", asked).json()
    assert (seen["changed"], seen["isWhole"], seen["days"][1]["difference"]) == (3, True, "504.999697")
    answer = told.full.post("cost/reprice", asked | {"apply": True})
    assert answer.status_code == 202
    id = answer.json()["id"]
    assert told.full.post("cost/reprice", asked | {"apply": True}).status_code == 409
    repricing.run(id)
    run = told.read.get(f"cost/reprice/{id}").json()
    assert (run["state"], run["changed"], run["canBeUndone"]) == ("done", 3, True)
    assert run["undoableUntil"] > run["endedAt"]
    assert told.read.get("cost/reprice").json()["data"] == [run]
    assert told.read.get("observations/a/cost").json()["rule"]["revision"] == 2
    assert told.full.delete(f"cost/reprice/{id}").json()["state"] == "done"  # too late
    answer = told.full.post(f"cost/reprice/{id}/undo", None)
    assert (answer.status_code, answer.json()["state"]) == (202, "undoing")
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/undo")):
        check_hidden(theirs, method, f"cost/reprice/{id}{path}")
    check_refusals(told, "GET", f"cost/reprice/{id}", scope="read")
    check_refusals(told, "POST", "cost/reprice", scope="write", body={})
    check_refusals(told, "POST", f"cost/reprice/{id}/undo", scope="write")


def test_the_page(told: Keys):
    owner = Client()
    owner.force_login(factories.member(told.organization, Role.ADMIN))
    address = reverse("tracing:reprice", args=[told.project_id])
    days = {"from": "2026-09-20", "to": "2026-09-24", "model": "house"}
    assert "Nothing would change" in owner.get(address, days).content.decode()
    house(told, price=0.5)
    shown = owner.get(address, days).content.decode()
    assert "$1.0003052" not in shown and "$509.50" in shown and "+$508" in shown
    assert 'value="house"' in shown and "nobody&#x27;s" in shown  # models to choose from
    begun = owner.post(reverse("tracing:start-repricing", args=[told.project_id]), days)
    assert begun.status_code == 302
    run = Repricing.objects.get()
    repricing.run(run.id)
    runs = owner.get(address, {"part": "runs"}).content.decode()
    assert "3 of 3 read, 3 changed" in runs and "Undo" in runs
    owner.post(reverse("tracing:undo-repricing", args=[told.project_id, run.id]))
    repricing.run(run.id)
    assert "3 put back" in owner.get(address, {"part": "runs"}).content.decode()
    assert row(told, "t", "a").total_cost == Decimal("1.0003")


def test_odd_forms_and_strangers(told: Keys):
    owner, viewer = Client(), Client()
    owner.force_login(factories.member(told.organization, Role.OWNER))
    viewer.force_login(factories.member(told.organization, Role.MEMBER))
    address = reverse("tracing:reprice", args=[told.project_id])
    assert owner.get(address, {"from": "never", "to": "\0", "model": "\0"}).status_code == 200
    for odd in ({"from": "2026-09-24", "to": "2026-09-20"}, {"from": "2020-01-01", "to": "2026-01-01"}):
        answer = owner.get(address, odd)
        assert answer.status_code == 400 and 'role="alert"' in answer.content.decode()
    owner.post(reverse("tracing:start-repricing", args=[told.project_id]), {"from": "x"})
    assert not Repricing.objects.exists()
    for name in ("reprice", "start-repricing"):
        assert viewer.get(reverse(f"tracing:{name}", args=[told.project_id])).status_code == 403
    assert Client().get(address).status_code == 302


def test_bad_bodies(ours: Keys):
    check_bad(ours.full.post("cost/reprice", {"since": "yesterday"}), "since")
    check_bad(ours.full.post("cost/reprice", {"until": "2026-01-01T00:00:00"}), "until")
    check_bad(ours.full.post("cost/reprice", {"model": 5}), "model")
    check_bad(ours.full.post("cost/reprice", {"apply": "yes"}), "apply")
    check_bad(ours.full.post("cost/reprice", {"form": 1}), "form")
    check_bad(ours.full.post("cost/reprice", {"since": "2020-01-01T00:00:00Z"}), "366")
