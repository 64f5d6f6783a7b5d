"""What is usual for traces of a name: lists colour only what is slower or dearer than that."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from apps.core.clock import now_micros
from apps.tracing import repository

SECONDS = 60.0  # an answer is good for
SPAN = 7 * 86_400 * 1_000_000  # microseconds looked back
MAX_KEPT = 10_000  # names, of all projects


@dataclass(frozen=True, slots=True)
class Norm:
    """95 of 100 traces of a name took at most this long and cost at most this much."""

    latency_ms: float
    cost: Decimal | None


_kept: dict[tuple[str, str], tuple[float, Norm | None]] = {}


def of(project_id: str, names: Iterable[str]) -> dict[str, Norm]:
    """Norms of those names that have enough traces to speak of one; kept for a minute."""
    now = time.monotonic()
    wanted = {name for name in names if name}
    asked = [name for name in wanted if _kept.get((project_id, name), (0.0, None))[0] < now]
    if asked:
        found = repository.usual(project_id, asked, since=now_micros() - SPAN)
        if len(_kept) + len(asked) > MAX_KEPT:
            _kept.clear()
        for name in asked:
            norm = Norm(*found[name]) if name in found else None
            _kept[project_id, name] = (now + SECONDS, norm)
    norms = {name: _kept.get((project_id, name), (0.0, None))[1] for name in wanted}
    return {name: norm for name, norm in norms.items() if norm is not None}
