"""A plan's seats, when several people join at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections

from apps.audit.services import SYSTEM
from apps.core.errors import Forbidden
from apps.organizations import services
from apps.organizations.models import Membership, Role
from apps.usage import plans
from apps.usage.budget_models import Plan
from tests import factories

THREADS = 6
pytestmark = pytest.mark.django_db(transaction=True)


def test_the_last_seat_is_taken_once() -> None:
    Plan.objects.update_or_create(id="three", defaults={"name": "Three", "max_members": 3})
    organization = factories.organization(owner=factories.user())
    plans.assign(actor=SYSTEM, organization=organization, plan_id="three")
    factories.member(organization, Role.MEMBER)
    people = [factories.user() for _ in range(THREADS)]
    barrier = Barrier(THREADS)

    def join(number: int) -> bool:
        barrier.wait()
        try:
            services.add_member(
                actor=SYSTEM, organization=organization, user=people[number], role=Role.MEMBER
            )
        except Forbidden:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        joined = list(pool.map(join, range(THREADS)))
    assert sum(joined) == 1
    assert Membership.objects.filter(organization=organization).count() == 3
