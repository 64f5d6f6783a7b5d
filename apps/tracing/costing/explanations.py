"""Costs opened: of one observation, and of any number of them by model, rule and kind of usage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from apps.core.clock import MICROS_PER_HOUR
from apps.core.filter_sql import Binder
from apps.core.filters import Conditions
from apps.pricing import catalogue, queries
from apps.pricing.catalogue import Catalogue
from apps.pricing.explain import (
    Explanation,
    Line,
    Origin,
    Revision,
    Spent,
    explain,
    lines_of,
    origin_of,
    rest,
)
from apps.telemetry.gate import gate
from apps.tracing.observation_columns import hours_of, where_observations
from apps.tracing.records import ObservationRow, TraceSummary

MAX_GROUPS = 500  # answered; what is left out is summed up
_SPENDS = "(notEmpty(usage) OR notEmpty(cost) OR model != '')"  # plain spans have no part in costs

_OF_TRACE = f"""(
        SELECT * FROM observations
        WHERE project_id = {{project:String}} AND trace_id = {{trace:String}}
        AND hour BETWEEN {{first:UInt32}} AND {{last:UInt32}} AND id != ''
        ORDER BY event_ts DESC LIMIT 1 BY id
    ) WHERE {_SPENDS}"""

# Maps are added up kind by kind as pairs: the sums of decimals must not lose their width.
_GROUPS = """
SELECT *, sum(seen) OVER (), sum(priced) OVER (), sum(guessed) OVER (), sum(spent) OVER (), count() OVER ()
FROM (
    SELECT model, any(model_id), price_version, pricing_tier_name, notEmpty(cost) AS has_cost, is_estimated,
        count() AS seen, countIf(isNotNull(total_cost)) AS priced, countIf(is_estimated) AS guessed,
        sum(toDecimal128(ifNull(total_cost, 0), 12)) AS spent,
        sumMap(mapKeys(usage), mapValues(usage)),
        sumMap(mapKeys(cost), arrayMap(amount -> toDecimal128(amount, 12), mapValues(cost)))
    FROM {source}
    GROUP BY model, price_version, pricing_tier_name, has_cost, is_estimated
)
ORDER BY spent DESC, seen DESC, model, price_version, pricing_tier_name, has_cost, is_estimated
LIMIT {limit}
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Observations of one model whose cost one rule made, kind by kind."""

    model: str
    model_id: str
    price_version: str
    tier_name: str
    origin: Origin
    is_estimated: bool
    observations: int
    without_cost: int
    lines: tuple[Line, ...]
    total: Decimal
    rest: Decimal  # rounding of each observation's parts, and what sent totals have beyond their parts
    revision: Revision | None
    in_force: bool  # whether the revision is the definition's of today


@dataclass(frozen=True, slots=True)
class Total:
    """A sum of costs and its groups, the dearest first."""

    total: Decimal
    observations: int
    without_cost: int
    estimated: int
    groups: tuple[Group, ...]
    groups_left_out: int  # beyond MAX_GROUPS
    total_left_out: Decimal


def of_observation(row: ObservationRow) -> Explanation:
    """How the cost of one observation came about."""
    known = queries.revisions([row.price_version]) if row.price_version else {}
    return explain(spent_of(row), known.get(row.price_version), catalogue.current())


def spent_of(row: ObservationRow) -> Spent:
    """What pricing wants to know of an observation."""
    return Spent(
        project_id=row.project_id,
        model=row.model,
        model_id=row.model_id,
        usage=row.usage,
        cost=row.cost,
        total_cost=row.total_cost,
        price_version=row.price_version,
        tier_name=row.pricing_tier_name,
        model_parameters=row.model_parameters,
        metadata=row.metadata,
        start_time=row.start_time,
        is_estimated=row.is_estimated,
    )


def of_trace(trace: TraceSummary) -> Total:
    """What one trace's cost is made of; each observation in its newest version. Raises Unavailable."""
    parameters = {
        "project": trace.project_id,
        "trace": trace.id,
        "first": trace.start_time // MICROS_PER_HOUR,
        "last": trace.end_time // MICROS_PER_HOUR,
    }
    return _total(_OF_TRACE, parameters)


def of_all(project_id: str, conditions: Conditions) -> Total:
    """What the cost of all observations that pass is made of. One that is being replaced in this moment may
    count twice. Raises Unavailable."""
    binder = Binder({"project": project_id})
    where = where_observations(conditions, binder, hours_of(conditions))
    return _total(f"observations WHERE {where} AND {_SPENDS}", binder.parameters)


def _total(source: str, parameters: Mapping[str, Any]) -> Total:
    sql = _GROUPS.replace("{source}", source).replace("{limit}", str(MAX_GROUPS))
    rows = gate().query(sql, dict(parameters), purpose="cost explained", seconds=60)
    if not rows:
        return Total(Decimal(0), 0, 0, 0, (), 0, Decimal(0))
    known = queries.revisions({row[2] for row in rows if row[2]})
    prices = catalogue.current()
    groups = tuple(_group(row[:12], known, prices) for row in rows)
    seen, priced, guessed, spent, count = rows[0][12:]
    return Total(
        total=spent,
        observations=seen,
        without_cost=seen - priced,
        estimated=guessed,
        groups=groups,
        groups_left_out=count - len(groups),
        total_left_out=spent - _sum(group.total for group in groups),
    )


def _group(row: Iterable[Any], known: Mapping[str, Revision], prices: Catalogue) -> Group:
    model, model_id, version, tier_name, has_cost, is_estimated, seen, priced, _, spent, units, amounts = row
    usage = dict(zip(*units, strict=True))
    cost: dict[str, Decimal] = dict(zip(*amounts, strict=True))
    revision = known.get(version)
    tier = revision.tier(tier_name) if revision is not None else None
    lines = lines_of(usage, cost, tier.usage_prices if tier else {}, tier.prices if tier else {})
    definition = prices.definition(revision.definition_id) if revision is not None else None
    return Group(
        model=model,
        model_id=model_id,
        price_version=version,
        tier_name=tier_name,
        origin=origin_of(cost if has_cost else {}, version),
        is_estimated=is_estimated,
        observations=seen,
        without_cost=seen - priced,
        lines=lines,
        total=spent,
        rest=rest(lines, spent),
        revision=revision,
        in_force=definition is not None and definition.price_version == version,
    )


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))
