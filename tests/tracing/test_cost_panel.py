"""The panel that opens from a cost: every part in words, for whom it is, and what is not known."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from apps.organizations.models import Project
from apps.tracing.writer import Writer
from tests import factories
from tests.support.api import Keys, project_with_keys
from tests.tracing.spans import root
from tests.tracing.test_cost_api import commit, generation, house

pytestmark = pytest.mark.django_db


def panel(reader: Client, project: Project, **query: str) -> str:
    answer = reader.get(reverse("tracing:cost-explained", args=[project.id]), query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def keys(home: Project) -> Keys:
    return project_with_keys(home)


@pytest.fixture(autouse=True)
def told(keys: Keys, writer: Writer) -> None:
    house(keys)
    commit(
        writer,
        root(keys.project_id, "t", usage={}, model="", cost={}, total_cost=None),
        generation(keys, "t", "a", {"input": 1001, "output": 3, "total": 1004}),
        generation(keys, "t", "sent", {"input": 9}, provided_cost={"total": Decimal("0.125")}),
        generation(keys, "t", "unknown", {"input": 5}, model="<nobody's>"),
    )


def test_an_observation(home: Project, reader: Client, keys: Keys):
    shown = panel(reader, home, trace="t", observation="a")
    for words in ("$0.30", "$0.0003003", "$0.7503003", "house@1", "parameter speed is fast", "Standard"):
        assert words in shown, words
    assert "no longer in force" not in shown and "Today" not in shown
    assert reverse("pricing:model", args=[home.id, "house"]) in shown
    house(keys, price=0.5)
    shown = panel(reader, home, trace="t", observation="a")
    assert "no longer in force" in shown and "$501.25" in shown


def test_what_does_not_fit(home: Project, reader: Client, keys: Keys, writer: Writer):
    sent = {"input": Decimal(2), "total": Decimal(1)}
    commit(
        writer,
        generation(keys, "t", "odd", {"input": 5, "video": 9, "total": 20}),
        generation(keys, "t", "more", {"input": 9}, provided_cost=sent),
    )
    shown = panel(reader, home, trace="t", observation="odd")
    assert "sent total of 20 units is not the sum of its parts, 14" in shown and "for it: video" in shown
    assert "come to $2.00, more than the sent total of $1.00" in panel(
        reader, home, trace="t", observation="more"
    )


def test_sent_and_unknown(home: Project, reader: Client):
    assert "as the client sent it" in panel(reader, home, trace="t", observation="sent")
    shown = panel(reader, home, trace="t", observation="unknown")
    assert "no price definition matches" in shown and "&lt;nobody" in shown


def test_a_trace(home: Project, reader: Client):
    shown = panel(reader, home, trace="t")
    assert "What $0.8753003 is made of" in shown and "1 observation has no known cost" in shown
    assert shown.index("$0.7503003</td>") < shown.index("$0.125</td>")


def test_what_is_not_there(home: Project, reader: Client):
    for query in ({"trace": "gone"}, {"trace": "t", "observation": "gone"}, {}):
        assert "not there any more" in panel(reader, home, **query)


def test_strangers(home: Project):
    stranger = Client()
    address = reverse("tracing:cost-explained", args=[home.id])
    assert stranger.get(address, {"trace": "t"}).status_code == 302
    stranger.force_login(factories.user())
    assert stranger.get(address, {"trace": "t"}).status_code == 404
