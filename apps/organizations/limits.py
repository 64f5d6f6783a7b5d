"""How many requests an organization may make: by its plan and by what the request is for, in fixed windows.

Off unless LITEFUSE_RATE_LIMIT_PLAN names the plan of organizations that have none of their own. Counted in
Redis when there is one, else in this process. A count that cannot be made refuses nobody.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.core.cache import caches

from apps.core.errors import RateLimited

if TYPE_CHECKING:
    from apps.organizations.authentication import Access

log = logging.getLogger(__name__)

MINUTE, HOUR, DAY = 60, 3600, 86_400
UNLIMITED: Final = ""  # the resource of endpoints that are never limited
PLANS: Final = ("hobby", "core", "pro", "team", "enterprise")


@dataclass(frozen=True, slots=True)
class Limit:
    """In a window of `seconds`, the request that would leave none of `count` is the first refused."""

    count: int
    seconds: int


# Limits of hobby, of core, and of all above, as Langfuse's cloud has them. `prompts` are never limited.
_ROWS: Final[dict[str, tuple[Limit, Limit, Limit]]] = {
    "ingestion": (Limit(1000, MINUTE), Limit(20_000, MINUTE), Limit(20_000, MINUTE)),
    "media-upload": (Limit(1000, MINUTE), Limit(4000, MINUTE), Limit(20_000, MINUTE)),
    "legacy-ingestion": (Limit(100, MINUTE), Limit(400, MINUTE), Limit(400, MINUTE)),
    "public-api": (Limit(30, MINUTE), Limit(1000, MINUTE), Limit(1000, MINUTE)),
    "public-api-legacy": (Limit(15, MINUTE), Limit(30, MINUTE), Limit(100, MINUTE)),
    "datasets": (Limit(100, MINUTE), Limit(1000, MINUTE), Limit(1000, MINUTE)),
    "annotation-queues": (Limit(100, MINUTE), Limit(1000, MINUTE), Limit(1000, MINUTE)),
    "public-api-metrics": (Limit(100, DAY), Limit(2000, DAY), Limit(2000, DAY)),
    "public-api-v2-metrics": (Limit(100, DAY), Limit(100, HOUR), Limit(500, HOUR)),
    "public-api-daily-metrics-legacy": (Limit(10, DAY), Limit(200, DAY), Limit(200, DAY)),
    "trace-delete": (Limit(50, DAY), Limit(200, DAY), Limit(1000, DAY)),
    "score-delete": (Limit(50, DAY), Limit(200, DAY), Limit(1000, DAY)),
    "feedback": (Limit(20, DAY), Limit(20, DAY), Limit(20, DAY)),
}
RESOURCES: Final = frozenset({*_ROWS, "prompts", UNLIMITED})


def limit_of(plan: str, resource: str, overrides: dict[str, Limit | None]) -> Limit | None:
    """What an organization may do of a resource; None is as much as it likes. `overrides`: its own limits,
    which win; `plan`: one of PLANS, or empty for the instance's."""
    if resource in overrides:
        return overrides[resource]
    row = _ROWS.get(resource)
    plan = plan or settings.RATE_LIMIT_PLAN
    return row[min(PLANS.index(plan), 2)] if row and plan in PLANS else None


def are_counted(access: Access, resource: str) -> bool:
    """Whether requests of these credentials for a resource are limited at all."""
    return bool(settings.RATE_LIMIT_PLAN) and _limit(access, resource) is not None


def count(access: Access, resource: str) -> None:
    """Count a request; raises RateLimited when the organization has made too many. May ask Redis."""
    if not settings.RATE_LIMIT_PLAN:
        return
    limit = _limit(access, resource)
    if limit is None:
        return
    now = time.time()
    window = int(now // limit.seconds)
    made = _counted(f"{access.organization_id}:{resource}:{limit.seconds}:{window}", limit.seconds)
    if made >= limit.count:
        ends = (window + 1) * limit.seconds
        raise RateLimited(
            f"Too many requests of kind '{resource}': the plan has {limit.count} in {limit.seconds} s.",
            limit=limit.count,
            seconds=max(1, round(ends - now)),
            reset=datetime.fromtimestamp(ends, UTC),
        )


def _limit(access: Access, resource: str) -> Limit | None:
    overrides = {name: Limit(most, seconds) if seconds else None for name, most, seconds in access.rates}
    return limit_of(access.plan, resource, overrides)


def _counted(key: str, seconds: int) -> int:
    """How many requests there were under a key, this one with them; 0 when nobody can say."""
    try:
        cache = caches["limits"]
        cache.add(key, 0, timeout=seconds + 1)
        return cache.incr(key)
    except Exception:  # whatever is wrong with the counter, the request is not at fault
        log.warning("requests cannot be counted, nobody is limited", exc_info=True)
        return 0
