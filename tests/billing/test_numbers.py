"""Many close at once: every period is billed once, and numbers have neither gaps nor doubles."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier

import pytest
from django.db import connections, transaction

from apps.audit.services import SYSTEM
from apps.billing import closing, services
from apps.billing.models import Entry, Invoice
from apps.core.errors import Conflict
from apps.organizations.models import Organization
from tests.billing.plans import at, make_plans, meter, metered_until, on_plan

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 6


@pytest.fixture(autouse=True)
def ready(passing_ledger: None) -> None:
    """Plans, and a meter that has seen it all."""
    make_plans()
    metered_until(at("2027-12-01"))


def _together(jobs: list[Callable[[], object]]) -> list[object]:
    """Run all at the same moment, each on a connection of its own; what they returned or raised."""
    barrier = Barrier(len(jobs))

    def run(job: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return job()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def _organizations(count: int) -> list[Organization]:
    made = [on_plan("pro", date(2026, 9, 1)) for _ in range(count)]
    for number, organization in enumerate(made):
        meter(organization, date(2026, 9, 5), 300_000 + number)
    return made


def test_organizations_side_by_side() -> None:
    found = _organizations(THREADS)
    jobs = [lambda made=made: closing.close(made, at("2026-12-05")) for made in found]
    assert _together(jobs) == [3] * THREADS
    numbers = sorted(Invoice.objects.values_list("number", flat=True))
    assert numbers == list(range(numbers[0], numbers[0] + 3 * THREADS))


def test_the_same_organizations_by_several_workers() -> None:
    found = _organizations(2)
    answers = _together([lambda: closing.close_periods(at("2026-12-05"))] * THREADS)
    assert sum(answers) == 6  # type: ignore[arg-type]
    assert Invoice.objects.count() == 6
    for organization in found:
        starts = Invoice.objects.filter(organization_id=organization.id).values_list(
            "period_start", flat=True
        )
        assert sorted(starts) == [date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)]


def test_a_number_that_was_rolled_back_is_given_again() -> None:
    first, second = _organizations(2)
    with pytest.raises(RuntimeError), transaction.atomic():
        closing.close(first, at("2026-10-05"))
        raise RuntimeError("the machine stops here")
    closing.close(second, at("2026-10-05"))
    closing.close(first, at("2026-10-05"))
    numbers = sorted(Invoice.objects.values_list("number", flat=True))
    assert numbers == [numbers[0], numbers[0] + 1]


def test_an_invoice_is_settled_once() -> None:
    (organization,) = _organizations(1)
    closing.close(organization, at("2026-10-05"))
    number = Invoice.objects.get().number
    pay = lambda: services.mark_paid(actor=SYSTEM, number=number)  # noqa: E731
    void = lambda: services.void(actor=SYSTEM, number=number, reason="wrong")  # noqa: E731
    answers = _together([pay, void] * 3)
    assert sum(isinstance(answer, Conflict) for answer in answers) == 5
    assert sum(Entry.objects.values_list("amount", flat=True)) == 0
