"""A writer whose commits are counted as those of the server are, and a budget or two."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.organizations.models import Organization, Project
from apps.tracing.records import Observation, Score
from apps.tracing.writer import CommitResult, Writer, forget
from apps.usage import budgets, counters, quotas, rules
from apps.usage.budget_models import Budget
from tests import factories

Store = Callable[[Sequence[Observation | Score]], CommitResult]


@pytest.fixture
def home(db: None) -> Project:
    """A project with an owner."""
    return factories.project(owner=factories.user())


@pytest.fixture
def counter(db: None) -> counters.Counter:
    """A counter of this test alone."""
    quotas.forget()
    return counters.Counter()


@pytest.fixture
def store(counter: counters.Counter) -> Iterator[Store]:
    """Stores records, and counts them before it returns."""
    forget()
    writer = Writer()

    def commit(records: Sequence[Observation | Score]) -> CommitResult:
        result = writer.commit(records)
        counter.forget()  # the transaction of a test is never committed, so that nobody says so
        counter._count(counters.Noted(records, result))
        counter.settle()
        return result

    yield commit
    writer.close()


def budget(organization: Organization, **fields: Any) -> Budget:
    """A budget of ten dollars in a calendar month, unless told otherwise."""
    values: dict[str, Any] = {
        "name": "Ten dollars",
        "scope": "organization",
        "measure": "usd",
        "amount": Decimal(10),
        "window": "month",
    }
    return budgets.create(
        actor=SYSTEM, organization=organization, wanted=budgets.Wanted(**{**values, **fields})
    )


def priced(dollars: str = "1") -> dict[str, Any]:
    """A cost of a span."""
    return {"cost": {"total": Decimal(dollars)}, "total_cost": Decimal(dollars)}


def sums() -> dict[tuple[str, str], int]:
    """What is counted now, of everybody who has any."""
    every = rules.rules_of(budgets.Budget.objects.all())
    return {key: amount for key, amount in budgets.spent(every, timezone.now()).items() if amount}


def truth(projects: Sequence[str]) -> dict[tuple[str, str], int]:
    """The same, asked of the store."""
    found: dict[tuple[str, str], int] = {}
    for rule in rules.rules_of(budgets.Budget.objects.all()):
        counted = rules.count(rule, projects, rule.period(timezone.now()))
        for (_, subject), amount in counted.amounts.items():
            key = rule.budget.id, subject
            found[key] = found.get(key, 0) + amount
    return {key: amount for key, amount in found.items() if amount}
