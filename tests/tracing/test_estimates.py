"""Usage that nobody sent: counted from the content, marked, once, and given way to what is measured."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from apps.core.clock import now_micros
from apps.core.errors import Unavailable
from apps.organizations.models import Role
from apps.pricing import catalogue
from apps.tracing import repository
from apps.tracing.costing import estimates, tokens
from apps.tracing.costing.models import EstimateClock
from apps.tracing.records import Observation, ObservationRow, ObservationType
from apps.tracing.writer import Unstorable, Writer
from tests import factories
from tests.support.api import Keys
from tests.tracing.spans import span
from tests.tracing.test_cost_api import commit, generation, house

CHAT = json.dumps([{"role": "system", "content": "be brief"}, {"role": "user", "content": "where to?"}])
ANSWER = json.dumps({"role": "assistant", "content": "to Osaka"})


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    """Nothing is waited for, and only what this test commits is looked at."""
    monkeypatch.setattr(estimates, "SETTLED", 0)
    monkeypatch.setattr(estimates, "AGAIN", 0)
    monkeypatch.setattr(estimates, "FIRST", -1)
    EstimateClock.objects.update_or_create(id=1, defaults={"place": [now_micros(), "", "", ""]})


def silent(keys: Keys, id: str, **fields: Any) -> Observation:
    values: dict[str, Any] = {
        "type": ObservationType.GENERATION, "model": "house", "usage": {}, "cost": {}, "total_cost": None,
        "input": CHAT, "output": ANSWER,
    }  # fmt: skip
    return span(keys.project_id, "t", id, **(values | fields))


def row(keys: Keys, id: str) -> ObservationRow:
    found = repository.get_observation(keys.project_id, "t", id)
    assert found is not None
    return found


def test_it_works(ours: Keys, writer: Writer):
    house(ours)
    commit(writer, silent(ours, "a"), generation(ours, "t", "measured", {"input": 5}))
    assert estimates.estimate_missing() == 1
    found = row(ours, "a")
    assert found.is_estimated and found.usage == {"input": 16, "output": 2, "total": 18}
    assert found.total_cost is not None and found.price_version == "house@1" and found.input == CHAT
    assert not row(ours, "measured").is_estimated
    trace = repository.get_trace(ours.project_id, "t")
    assert trace is not None and trace.estimated_count == 1
    EstimateClock.objects.update(place=[0, "", "", ""])
    assert estimates.estimate_missing() == 0  # nothing is done twice


def test_it_is_said_everywhere(ours: Keys, writer: Writer):
    house(ours)
    commit(writer, silent(ours, "a"), generation(ours, "t", "measured", {"input": 5}))
    estimates.estimate_missing()
    assert ours.read.get("observations/a").json()["usageEstimated"] is True
    assert "usageEstimated" not in ours.read.get("observations/measured").json()
    by_id = {one["id"]: one for one in ours.read.get("v2/observations", fields="core,usage").json()["data"]}
    assert by_id["a"]["usageEstimated"] is True and "usageEstimated" not in by_id["measured"]
    assert ours.read.get("observations/a/cost").json()["usageOrigin"] == "estimated"
    said = ours.read.get("traces/t/cost").json()
    assert said["estimated"] == 1 and {group["isEstimated"] for group in said["groups"]} == {True, False}


def test_pages_mark_it(ours: Keys, writer: Writer):
    house(ours)
    commit(writer, silent(ours, "a"), generation(ours, "u", "measured", {"input": 5}))
    estimates.estimate_missing()
    viewer = Client()
    viewer.force_login(factories.member(ours.organization, Role.VIEWER))
    mark = '<span class="estimated"'
    everything = reverse("tracing:trace-list", args=[ours.project_id])
    assert viewer.get(everything, {"range": "all"}).content.decode().count(mark) == 1
    page = reverse("tracing:trace-detail", args=[ours.project_id, "t"])
    shown = viewer.get(page, {"observation": "a"}).content.decode()
    assert shown.count(mark) == 3 and '"cost": "\\u2248$' in shown
    panel = reverse("tracing:cost-explained", args=[ours.project_id])
    for query in ({"trace": "t"}, {"trace": "t", "observation": "a"}):
        assert "≈" in viewer.get(panel, query).content.decode()
    page = reverse("tracing:trace-detail", args=[ours.project_id, "u"])
    assert mark not in viewer.get(page, {"observation": "measured"}).content.decode()


def test_what_is_not_estimated(ours: Keys, writer: Writer):
    writer.commit(
        [
            silent(ours, "no-model", model=""),
            silent(ours, "error", level="ERROR"),
            silent(ours, "span", type=ObservationType.SPAN),
            silent(ours, "running", end_time=None),
            silent(ours, "no-content", input="", output=""),
            silent(ours, "priced", provided_cost={"total": Decimal(1)}),
            silent(ours, "picture", input="data:image/png;base64,AAAA", output=""),
        ]
    )
    assert estimates.estimate_missing() == 0
    assert EstimateClock.objects.get().place[0] > 0


def test_a_model_without_a_price_gets_usage_alone(ours: Keys, writer: Writer):
    commit(writer, silent(ours, "a", model="nobody's", type=ObservationType.EMBEDDING, input="a b c"))
    assert estimates.estimate_missing() == 1
    found = row(ours, "a")
    assert (found.usage, found.total_cost) == ({"input": 3, "total": 3}, None)


def test_a_definition_says_as_which_model_it_counts(ours: Keys, writer: Writer):
    text = "漢字かな交じり文のトークン数"
    draft = {"modelName": "house", "matchPattern": "^house$", "inputPrice": 1, "tokenizerId": "openai"}
    for name in ("gpt-4o", "gpt-4"):
        config = {"tokenizerConfig": {"tokenizerModel": name}}
        assert ours.full.put("models/house", draft | {"unit": "TOKENS"} | config).status_code == 200
        catalogue.forget()
        commit(writer, silent(ours, name, input=text, output=""))
        estimates.estimate_missing()
        assert row(ours, name).usage["input"] == tokens.count_input(name, text)
    assert row(ours, "gpt-4").usage != row(ours, "gpt-4o").usage


def test_real_usage_wins(ours: Keys, writer: Writer):
    house(ours)
    commit(writer, silent(ours, "a"))
    estimates.estimate_missing()
    commit(writer, silent(ours, "a", usage={"input": 1000, "total": 1000}))
    found = row(ours, "a")
    assert (found.usage, found.is_estimated) == ({"input": 1000, "total": 1000}, False)
    trace = repository.get_trace(ours.project_id, "t")
    assert trace is not None and trace.estimated_count == 0
    assert estimates.estimate_missing() == 0


def test_other_content_is_counted_anew(ours: Keys, writer: Writer):
    house(ours)
    commit(writer, silent(ours, "a"))
    estimates.estimate_missing()
    commit(writer, silent(ours, "a", output="a much longer answer than before"))
    assert row(ours, "a").usage == {}
    assert estimates.estimate_missing() == 1
    assert row(ours, "a").usage["output"] == 6


def test_what_arrives_meanwhile_is_not_lost(ours: Keys, writer: Writer, monkeypatch: pytest.MonkeyPatch):
    commit(writer, silent(ours, "a"))
    amend = Writer.amend

    def late(self: Writer, *arguments: Any) -> Any:
        commit(writer, silent(ours, "a", usage={"input": 7, "total": 7}))
        return amend(self, *arguments)

    monkeypatch.setattr(Writer, "amend", late)
    estimates.estimate_missing()
    found = row(ours, "a")
    assert (found.usage, found.is_estimated) == ({"input": 7, "total": 7}, False)


def test_a_crash_loses_nothing(ours: Keys, writer: Writer, monkeypatch: pytest.MonkeyPatch):
    commit(writer, *(silent(ours, id) for id in "abc"))
    monkeypatch.setattr(estimates, "PAGE", 1)
    amend, calls = Writer.amend, []

    def second_fails(self: Writer, *arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise Unavailable("no")
        return amend(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "amend", second_fails)
        with pytest.raises(Unavailable):
            estimates.estimate_missing()
    assert [row(ours, id).is_estimated for id in "abc"] == [True, False, False]
    assert estimates.estimate_missing() == 2
    assert all(row(ours, id).is_estimated for id in "abc")


def test_many_are_done_in_turns(ours: Keys, writer: Writer, monkeypatch: pytest.MonkeyPatch):
    commit(writer, *(silent(ours, f"n{n}") for n in range(7)))
    monkeypatch.setattr(estimates, "PAGE", 2)
    monkeypatch.setattr(estimates, "PAGES", 2)
    assert [estimates.estimate_missing() for _ in range(3)] == [4, 3, 0]


def test_what_cannot_be_stored_holds_up_nothing(ours: Keys, writer: Writer, monkeypatch: pytest.MonkeyPatch):
    commit(writer, silent(ours, "a"))

    def refuse(*arguments: Any) -> Any:
        raise Unstorable("no")

    monkeypatch.setattr(Writer, "amend", refuse)
    before = EstimateClock.objects.get().place[0]
    assert estimates.estimate_missing() == 0
    assert EstimateClock.objects.get().place[0] > before


def test_it_can_be_turned_off(ours: Keys, writer: Writer, settings: Any):
    settings.ESTIMATE_USAGE = False
    commit(writer, silent(ours, "a"))
    assert estimates.estimate_missing() == 0 and not row(ours, "a").is_estimated


def test_a_project_of_nobody_is_left_alone(ours: Keys, writer: Writer):
    writer.commit([replace(silent(ours, "a"), project_id="gone")])
    assert estimates.estimate_missing() == 0


# --- tokens --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "text", "count"),
    [
        ("gpt-4o", "hello world", 2),
        ("openai/gpt-4", "hello world", 2),
        ("claude-sonnet-4-5", "hello world", 2),
        ("gpt-4o", CHAT, 16),
        ("gpt-4o", json.dumps({"messages": json.loads(CHAT), "model": "x"}), 16),
        ("gpt-4o", '{"question": "hello world"}', 2),
        ("gpt-4o", "[1, 2", 5),
        ("gpt-4o", "@@@langfuseMedia:type=image/png|id=x|source=base64@@@", 0),
        ("gpt-4o", "", 0),
    ],
)
def test_tokens(model: str, text: str, count: int):
    assert tokens.count_input(model, text) == count


def test_long_texts_are_bounded():
    assert tokens.count_input("gpt-4o", "word " * 400_000) == pytest.approx(400_000, rel=0.01)
    deep = "[" * 3_000 + '"x"' + "]" * 3_000
    assert tokens.count_output("gpt-4o", deep) >= 0


def test_without_tables_characters_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, settings: Any):
    settings.BASE_DIR = tmp_path
    tokens._counter.cache_clear()
    assert tokens.count_input("gpt-4o", "12345678") == 2
    tokens._counter.cache_clear()


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_has_a_count(first: str, second: str):
    chat = json.dumps([{"role": "user", "content": first}, {"role": "assistant", "content": [second]}])
    for text in (first, second, chat):
        assert 0 <= tokens.count_input("gpt-4o", text) <= 4 * len(text.encode("utf-8", "replace")) + 10
        assert tokens.count_output("gpt-4o", text) >= 0


def test_plain_spans_have_no_part_in_it(ours: Keys, writer: Writer):
    writer.commit([span(ours.project_id, "t", "a", usage={}, model="gpt-4o", cost={}, total_cost=None)])
    assert estimates.estimate_missing() == 0
