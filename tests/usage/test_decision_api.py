"""One call that tells a gateway whether somebody may spend."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from apps.usage import budgets, rules
from apps.usage.budget_models import Budget, BudgetCount
from tests.support.api import Keys, check_bad, check_refusals
from tests.usage.budgeting import budget

PATH = "budgets/decision"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    budgets._rules.clear()


def spend(made: Budget, dollars: str, subject: str = "", *, ago: timedelta = timedelta(0)) -> None:
    """Have something counted against a budget."""
    budgets._rules.clear()
    [rule] = rules.rules_of([made])
    moment = timezone.now() - ago
    BudgetCount.objects.create(
        budget=made, bucket=rule.bucket(int(moment.timestamp() * 1e6)), subject=subject,
        amount=int(Decimal(dollars) * 10**12),
    )  # fmt: skip


def ask(keys: Keys, **query: Any) -> dict[str, Any]:
    """The answer."""
    response = keys.read.get(PATH, **query)
    assert response.status_code == 200, response.content
    return response.json()


def test_refusals(ours: Keys):
    check_refusals(ours, "GET", PATH, scope="read")


def test_bad_queries(ours: Keys):
    check_bad(ours.read.get(PATH, user="ann"), "user")
    check_bad(ours.read.get(PATH, userId="x" * 20_000), "userId")


def test_without_budgets_everybody_may(ours: Keys):
    assert ask(ours, userId="ann") == {"allowed": True, "blockedBy": None, "budgets": []}


def test_each_user_for_themselves(ours: Keys):
    made = budget(ours.organization, scope="user", amount=Decimal(5), window="day")
    spend(made, "5.25", "ann")
    spend(made, "1.5", "bob")
    no, yes = ask(ours, userId="ann"), ask(ours, userId="bob")
    assert (no["allowed"], no["blockedBy"]["spent"], no["blockedBy"]["remaining"]) == (False, "5.25", "0")
    assert (yes["allowed"], yes["budgets"][0]["remaining"]) == (True, "3.5")
    assert no["blockedBy"]["resetsAt"] > timezone.now().isoformat()
    assert ask(ours, userId="cleo")["allowed"]
    assert ask(ours) == {"allowed": True, "blockedBy": None, "budgets": []}


def test_whatever_would_count_the_call_is_asked(ours: Keys):
    spend(budget(ours.organization, scope="model", value="gpt-5"), "11")
    spend(budget(ours.organization, scope="tag", value="batch"), "12")
    spend(budget(ours.organization, scope="project", value=ours.project_id), "1")
    assert ask(ours)["allowed"]
    assert not ask(ours, model="gpt-5")["allowed"]
    assert not ask(ours, model="o4", tag=["web", "batch"])["allowed"]
    assert [each["scope"] for each in ask(ours, model="gpt-5")["budgets"]] == ["model", "project"]


def test_others_budgets_are_not_ours(ours: Keys, theirs: Keys):
    spend(budget(theirs.organization), "11")
    assert ask(ours)["budgets"] == []
    assert not ask(theirs)["allowed"]


def test_a_rolling_window_frees_up(ours: Keys):
    made = budget(ours.organization, window="1h")
    spend(made, "11", ago=timedelta(hours=2))
    assert ask(ours)["allowed"]
    spend(made, "11", ago=timedelta(minutes=50))
    answer = ask(ours)
    assert not answer["allowed"] and answer["blockedBy"]["resetsAt"] is None


def test_a_calendar_window_begins_anew(ours: Keys):
    made = budget(ours.organization, window="day")
    spend(made, "11", ago=timedelta(days=1))
    assert ask(ours)["allowed"]
