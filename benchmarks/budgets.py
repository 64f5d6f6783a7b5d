"""How fast a gateway is told whether somebody may spend, over HTTP.

    python -m benchmarks.budgets [--budgets 20] [--users 10000] [--seconds 10]

A real server, an organization with so many budgets, half of them for each user, who all have spent something.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from decimal import Decimal
from pathlib import Path

from benchmarks import environment


def main() -> None:
    """Fill the counters, serve, ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budgets", type=int, default=20)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        environment.prepare(Path(directory))
        fill(options.budgets, options.users)
        measure(Path(directory), options.users, options.seconds)


def fill(count: int, users: int) -> None:
    """Budgets of the server's organization, and what was counted against them."""
    import os

    from django.conf import settings
    from django.core.management import call_command
    from django.utils import timezone

    from apps.audit.services import SYSTEM
    from apps.organizations.models import Organization
    from apps.usage import budgets, rules
    from apps.usage.budget_models import BudgetCount
    from benchmarks.ingest import PROVISION

    os.environ.update(PROVISION)
    settings.PROVISION = {
        name: PROVISION.get(f"LITEFUSE_INIT_{name}", value) for name, value in settings.PROVISION.items()
    }
    call_command("migrate", interactive=False, verbosity=0)
    call_command("provision", verbosity=0)
    organization = Organization.objects.get()
    for number in range(count):
        wanted = budgets.Wanted(
            name=f"budget {number}",
            scope="user" if number % 2 else "organization",
            measure="usd",
            amount=Decimal(100),
            window=("day", "week", "month", "24h")[number % 4],
        )
        made = budgets.create(actor=SYSTEM, organization=organization, wanted=wanted)
        [rule] = rules.rules_of([made])
        names = [f"user-{n}" for n in range(users)] if number % 2 else [""]
        bucket = rule.bucket(int(timezone.now().timestamp() * 1e6))
        BudgetCount.objects.bulk_create(
            [BudgetCount(budget=made, bucket=bucket, subject=name, amount=10**12) for name in names],
            batch_size=1000,
        )


def measure(data: Path, users: int, seconds: float) -> None:
    """Start a server on it and print the table."""
    from benchmarks.ingest import PROVISION
    from benchmarks.machine import percentile
    from benchmarks.read_api import CONNECTIONS, settle, timed
    from tests.support.server import ServerProcess

    def path(draw: random.Random) -> str:
        return f"/api/public/budgets/decision?userId=user-{draw.randrange(users)}&model=gpt-5"

    with ServerProcess(data, **PROVISION) as server:
        settle(server.pid)
        print(f"{'may this user spend?':30} {'n':>8} {'p50':>8} {'p95':>8} {'p99':>8}   ms")
        for at_once in CONNECTIONS:
            took = timed(server.port, path, at_once, seconds)
            shown = " ".join(f"{percentile(took, share):8.2f}" for share in (0.5, 0.95, 0.99))
            print(f"{f'{at_once} at once':30} {len(took):8} {shown}", flush=True)


if __name__ == "__main__":
    main()
