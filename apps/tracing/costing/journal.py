"""What a change of price does to one observation, as it is written down before it is done. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from apps.core.clock import to_datetime
from apps.tracing.records import Observation
from apps.tracing.stored import cost_units, from_units


@dataclass(frozen=True, slots=True)
class Priced:
    """The fields that a price sets, with amounts in units of 10^-12 US dollars, as they are stored."""

    cost: dict[str, int]
    total: int | None
    model_id: str
    tier_id: str
    tier_name: str
    version: str

    @classmethod
    def of(cls, o: Observation) -> Priced:
        """Those of an observation."""
        return cls(
            {kind: cost_units(amount) for kind, amount in o.cost.items()},
            None if o.total_cost is None else cost_units(o.total_cost),
            o.model_id,
            o.pricing_tier_id,
            o.pricing_tier_name,
            o.price_version,
        )

    def put(self, o: Observation) -> None:
        """Set them."""
        o.cost = {kind: from_units(units) for kind, units in self.cost.items()}
        o.total_cost = None if self.total is None else from_units(self.total)
        o.model_id, o.pricing_tier_id = self.model_id, self.tier_id
        o.pricing_tier_name, o.price_version = self.tier_name, self.version

    def as_list(self) -> list[Any]:
        """As JSON keeps it."""
        return [self.cost, self.total, self.model_id, self.tier_id, self.tier_name, self.version]


@dataclass(frozen=True, slots=True)
class Entry:
    """One observation that changes."""

    trace_id: str
    id: str
    model: str
    start_time: int
    before: Priced
    after: Priced


@dataclass(slots=True)
class Day:
    """What changed of one model on one day (UTC)."""

    model: str
    day: str
    observations: int = 0
    old: Decimal = Decimal(0)
    new: Decimal = Decimal(0)
    unpriced: int = 0  # of the observations those that had no cost before

    @property
    def difference(self) -> Decimal:
        """How much more it is."""
        return self.new - self.old

    def as_json(self) -> dict[str, Any]:
        """As a run keeps it: amounts as text."""
        return {
            "model": self.model,
            "day": self.day,
            "observations": self.observations,
            "old": format(self.old, "f"),
            "new": format(self.new, "f"),
            "unpriced": self.unpriced,
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Day:
        """Back from there."""
        return cls(**(kept | {"old": Decimal(kept["old"]), "new": Decimal(kept["new"])}))


def pack(entries: Iterable[Entry]) -> bytes:
    """Entries as one step keeps them: ids and costs repeat, so packing takes most of it away."""
    rows = [[e.trace_id, e.id, e.model, e.start_time, e.before.as_list(), e.after.as_list()] for e in entries]
    return zlib.compress(orjson.dumps(rows))


def unpack(packed: bytes) -> list[Entry]:
    """Back from there."""
    return [
        Entry(trace_id, id, model, start, Priced(*before), Priced(*after))
        for trace_id, id, model, start, before, after in orjson.loads(zlib.decompress(packed))
    ]


def by_day(entries: Iterable[Entry], known: Iterable[Day] = ()) -> list[Day]:
    """Entries added up by model and day, on top of what is `known`; the latest day first."""
    days = {(day.model, day.day): day for day in known}
    for entry in entries:
        key = entry.model, to_datetime(entry.start_time).date().isoformat()
        day = days.setdefault(key, Day(*key))
        day.observations += 1
        day.unpriced += entry.before.total is None
        day.old += from_units(entry.before.total or 0)
        day.new += from_units(entry.after.total or 0)
    return sorted(sorted(days.values(), key=lambda day: day.model), key=lambda day: day.day, reverse=True)
