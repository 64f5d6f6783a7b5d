"""Counting what is stored, as it is stored: against budgets, and units of organizations on a plan.

`note` is called by whoever committed and only puts the commit into a queue, when anybody is watched at all. A
thread adds it up in the database, where every process sees it. What cannot be added (a row that merged with
a stored one, a trace that got its user later) has the budget counted anew from the store, as everything is
when a process starts and every few minutes: so a counter is exact again after whatever happened to it. What
was counted from the store has the version of the newest row in it, and no commit up to that is added twice.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Final

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from apps.core.errors import ApiError
from apps.organizations.models import Project
from apps.telemetry.gate import QueryFailed
from apps.tracing.records import MERGED, Observation, Score
from apps.tracing.stored import cost_units, tokens
from apps.tracing.writer import CommitResult
from apps.usage import budgets, quotas, rules
from apps.usage.budget_models import Budget, BudgetCount, OrganizationPlan, Scope, UnitCount
from apps.usage.rules import MAX_AMOUNT, Item, Rule

log = logging.getLogger(__name__)

CHECK_SECONDS: Final = 3.0  # how old the list of whom to watch may be
MAX_WAITING: Final = 20_000  # rows, which hold their content; beyond, budgets are counted from the store
MAX_TRACES: Final = 20_000  # whose user and tags are remembered
PAUSE: Final = 10  # times as long as a count from the store took, the budget is not counted so again
LEAST_PAUSE: Final = 0.25  # seconds
KEPT: Final = timedelta(days=70)  # counts of windows that are over

Commit = tuple[Sequence[Observation | Score], CommitResult]
TraceKey = tuple[str, str]
_Job = tuple[str, str]  # a budget to count from the store, or an organization's quota to look at; its id
_BUDGET, _QUOTA = "budget", "quota"
_TROUBLE = (ApiError, QueryFailed, DatabaseError)


@dataclass(frozen=True, slots=True)
class Watched:
    """Whose commits count: projects with their organizations, rules by organization, who is on a plan."""

    organizations: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, Sequence[Rule]] = field(default_factory=dict)
    planned: frozenset[str] = frozenset()

    def projects_of(self, organization_id: str) -> list[str]:
        """An organization's projects."""
        return [project for project, owner in self.organizations.items() if owner == organization_id]


def watched() -> Watched:
    """As the database has it now."""
    by_organization: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules.rules_of(Budget.objects.all()):
        by_organization[rule.budget.organization_id].append(rule)
    planned = frozenset(OrganizationPlan.objects.values_list("organization", flat=True))
    owners = planned | by_organization.keys()
    projects = Project.objects.filter(organization__in=owners).values_list("id", "organization")
    return Watched(dict(projects) if owners else {}, by_organization, planned)


class Counter:
    """One a process. `note` from any thread; everything else under a lock."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Commit] = SimpleQueue()
        self._waiting = 0  # rows in the queue
        self._lock = threading.RLock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._watched = Watched()
        self._asked_at = -math.inf  # when (monotonic) the database said whom to watch
        self._lost = False  # commits were not taken: only the store knows now
        self._counted: set[str] = set()  # budgets that were counted from the store in this process
        self._due: dict[_Job, float] = {}  # what is to be done apart from adding, and when (monotonic)
        self._again: dict[_Job, float] = {}  # and when not before
        self._traces: OrderedDict[TraceKey, tuple[str, tuple[str, ...]]] = OrderedDict()

    # --- any thread ---------------------------------------------------------------------------------

    def note(self, records: Sequence[Observation | Score], result: CommitResult) -> None:
        """Take what was committed, to be counted in a moment. Costs nothing while nobody is watched."""
        if not self._watched.organizations and time.monotonic() - self._asked_at < CHECK_SECONDS:
            return
        if self._waiting + len(records) > MAX_WAITING and self._waiting:
            self._lost = True
            return
        self._waiting += len(records)
        self._queue.put((records, result))
        if self._thread is None:
            self._start()

    def forget(self) -> None:
        """Ask anew whom to watch."""
        self._asked_at = -math.inf

    def settle(self) -> None:
        """Count what waits, here and now. For tests and tools."""
        with self._lock:
            self._take(block=False)
            while self._due:
                self._do_due(hurry=True)

    def recount_all(self) -> int:
        """Count every budget's current window from the store; how many. Raises Unavailable."""
        with self._lock:
            self._take(block=False)
            seen = self._look()
            everybody = [rule for each in seen.rules.values() for rule in each]
            for rule in everybody:
                self._recount(rule, seen)
            return len(everybody)

    # --- the thread ---------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="budgets", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self._take(block=True)
                with self._lock:
                    self._do_due()
            except Exception:
                log.exception("what was stored could not be counted; it is counted from the store later")
                time.sleep(1)
                self._doubt_all()
            finally:
                if self._queue.empty():
                    connection.close()

    def _take(self, *, block: bool) -> None:
        """Count the commits that wait; with `block`, wait for one, or for a count that is due."""
        wait = max(min(self._due.values(), default=1e9) - time.monotonic(), 0) if self._due else None
        try:
            commits = [self._queue.get(block=block, timeout=wait if block else None)]
        except Empty:
            return
        while not self._queue.empty():
            commits.append(self._queue.get())
        self._waiting = 0
        with self._lock:
            for records, result in commits:
                self._count(records, result)

    def _look(self) -> Watched:
        """Whom to watch, as it was CHECK_SECONDS ago at most."""
        seen, now = self._watched, time.monotonic()
        if now - self._asked_at > CHECK_SECONDS:
            before = {rule for each in seen.rules.values() for rule in each}
            seen = watched()
            for each in seen.rules.values():
                for rule in each:
                    if not _is_known(rule, before):
                        self._counted.discard(rule.budget.id)
            self._watched, self._asked_at = seen, now
        if self._lost:
            self._lost = False
            self._doubt_all()
        return seen

    def _count(self, records: Sequence[Observation | Score], result: CommitResult) -> None:
        seen = self._look()
        if not seen.organizations:
            return
        stored = _Commit(seen, records, result)
        if stored.units:
            self._add_units(stored.units)
        added: dict[Rule, dict[tuple[datetime, str], int]] = {}
        for organization_id, items in stored.items.items():
            for rule in seen.rules.get(organization_id, ()):
                amounts = _amounts(rule, items)
                if rule.budget.id not in self._counted and amounts:
                    self._plan(_BUDGET, rule.budget.id)
                elif amounts:
                    added[rule] = amounts
        self._doubt(seen, stored)
        if added:
            self._add(added, stored.version)

    def _add_units(self, units: Mapping[str, int]) -> None:
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        with transaction.atomic():
            for organization_id, more in units.items():
                row, _made = UnitCount.objects.select_for_update().get_or_create(
                    organization_id=organization_id, hour=hour
                )
                row.units += more
                row.save(update_fields=["units"])
        for organization_id in units:
            self._plan(_QUOTA, organization_id)

    def _add(self, added: Mapping[Rule, Mapping[tuple[datetime, str], int]], version: int) -> None:
        """Add what a commit brought to the counts that did not see it in the store."""
        now = timezone.now()
        with transaction.atomic():
            known = _rows(added)
            changed = []
            for rule, amounts in added.items():
                first = rule.period(now).start
                for (bucket, subject), amount in amounts.items():
                    row = known.get((rule.budget.id, bucket, subject))
                    if row is None and bucket < first:
                        continue  # of a window that is over and was not counted
                    row = row or BudgetCount(budget=rule.budget, bucket=bucket, subject=subject)
                    if row.counted_to < version:
                        row.amount = min(row.amount + amount, MAX_AMOUNT)
                        changed.append(row)
            BudgetCount.objects.bulk_create(
                changed,
                update_conflicts=True,
                update_fields=["amount"],
                unique_fields=["budget", "bucket", "subject"],
            )
            touched = {rule: {subject for _, subject in amounts} for rule, amounts in added.items()}
            budgets.notice(touched, now)

    # --- doubt ----------------------------------------------------------------------------------------

    def _doubt(self, seen: Watched, stored: _Commit) -> None:
        """Have those budgets counted from the store to which this commit cannot simply be added."""
        for organization_id in stored.merged:
            for rule in seen.rules.get(organization_id, ()):
                self._plan(_BUDGET, rule.budget.id)
        for trace in stored.result.traces:
            of_traces = [
                rule
                for rule in seen.rules.get(seen.organizations.get(trace.project_id, ""), ())
                if rule.budget.scope in (Scope.USER, Scope.TAG)
            ]
            if not of_traces:
                continue
            key, facts = (trace.project_id, trace.id), (trace.user_id, trace.tags)
            known = self._traces.pop(key, None)
            self._traces[key] = facts
            if len(self._traces) > MAX_TRACES:
                self._traces.popitem(last=False)
            if known != facts and trace.observation_count > stored.fresh[key]:
                for rule in of_traces:
                    self._plan(_BUDGET, rule.budget.id)

    def _doubt_all(self) -> None:
        """The same for every budget: commits were not added."""
        for id in self._counted:
            self._plan(_BUDGET, id)
        self._counted.clear()

    def _plan(self, kind: str, id: str) -> None:
        """Have something done soon, but not all the time."""
        job = kind, id
        self._due.setdefault(job, self._again.get(job, 0.0))

    def _do_due(self, *, hurry: bool = False) -> None:
        """Do what is due; `hurry`: all that ever will be."""
        now = time.monotonic()
        for job in [job for job, at in self._due.items() if hurry or at <= now]:
            began = time.monotonic()
            del self._due[job]
            kind, id = job
            if kind == _QUOTA:
                quotas.evaluate(id)
            else:
                self._recount_one(id)
            ended = time.monotonic()
            self._again[job] = ended + max(LEAST_PAUSE, PAUSE * (ended - began))

    def _recount_one(self, budget_id: str) -> None:
        seen = self._look()
        for each in seen.rules.values():
            for rule in each:
                if rule.budget.id == budget_id:
                    self._recount(rule, seen)

    def _recount(self, rule: Rule, seen: Watched) -> None:
        now = timezone.now()
        period = rule.period(now)
        counted = rules.count(rule, seen.projects_of(rule.budget.organization_id), period)
        with transaction.atomic():
            if not Budget.objects.filter(pk=rule.budget.pk).exists():
                return  # deleted since
            BudgetCount.objects.filter(
                budget=rule.budget, bucket__gte=period.start, bucket__lt=period.end
            ).delete()
            BudgetCount.objects.bulk_create(
                [
                    BudgetCount(
                        budget=rule.budget,
                        bucket=bucket,
                        subject=subject,
                        amount=amount,
                        counted_to=counted.version,
                    )
                    for (bucket, subject), amount in counted.amounts.items()
                ],
                batch_size=500,
            )
            budgets.notice({rule: {subject for _, subject in counted.amounts}}, now)
        self._counted.add(rule.budget.id)


class _Commit:
    """What a commit holds for those who are watched."""

    def __init__(self, seen: Watched, records: Iterable[Observation | Score], result: CommitResult) -> None:
        self.result = result
        self.version = max(result.sequences.values(), default=0)
        self.items: dict[str, list[Item]] = defaultdict(list)  # new rows by organization
        self.merged: set[str] = set()  # organizations of which a stored row changed
        self.fresh: dict[TraceKey, int] = defaultdict(int)
        self.units: dict[str, int] = defaultdict(int)  # of organizations on a plan
        facts = {(t.project_id, t.id): (t.user_id, t.tags) for t in result.traces}
        for record in records:
            owner = seen.organizations.get(record.project_id)
            if owner is not None and isinstance(record, Observation) and record.id:
                self._take(owner, record, *facts.get((record.project_id, record.trace_id), ("", ())))
        for score in result.scores:
            owner = seen.organizations.get(score.project_id)
            if owner is not None and score.created_at == score.updated_at:
                self.items[owner].append(
                    Item(score.project_id, score.api_key_id, "", "", (), score.timestamp, 0, 0, 1)
                )
        for owner in self.items:
            if owner in seen.planned:
                self.units[owner] = sum(item.units for item in self.items[owner])

    def _take(self, owner: str, row: Observation, user: str, tags: tuple[str, ...]) -> None:
        counts = not row.is_infrastructure
        usd = cost_units(row.total_cost) if row.total_cost is not None else 0
        spent = tokens(row.usage)[2] if row.usage else 0
        item = Item(
            row.project_id, row.api_key_id, row.model, user, tags, row.start_time, usd, spent,
            counts + (counts and row.is_root),
        )  # fmt: skip
        if not row.outcome:
            self.items[owner].append(item)
            self.fresh[row.project_id, row.trace_id] += 1
        elif row.outcome == MERGED and (
            row.model or row.usage or row.provided_cost or row.is_root or row.is_infrastructure
        ):
            self.merged.add(owner)


def _is_known(rule: Rule, before: Collection[Rule]) -> bool:
    """Whether a rule was there already with the same terms."""
    return any(
        other.budget.id == rule.budget.id
        and other.budget.updated_at == rule.budget.updated_at
        and other.zone == rule.zone
        for other in before
    )


def _amounts(rule: Rule, items: Iterable[Item]) -> dict[tuple[datetime, str], int]:
    """What items add to a budget, by bucket and subject."""
    amounts: dict[tuple[datetime, str], int] = defaultdict(int)
    for item in items:
        amount = rule.amount(item)
        if amount:
            for subject in rule.subjects(item):
                amounts[rule.bucket(item.start), subject] += amount
    return dict(amounts)


def _rows(
    added: Mapping[Rule, Mapping[tuple[datetime, str], int]],
) -> dict[tuple[str, datetime, str], BudgetCount]:
    """The counts that there are of what is to be added, locked."""
    keys = {(rule.budget.id, *key) for rule, amounts in added.items() for key in amounts}
    rows = BudgetCount.objects.select_for_update().filter(
        budget__in={id for id, _, _ in keys},
        bucket__in={bucket for _, bucket, _ in keys},
        subject__in={subject for _, _, subject in keys},
    )
    return {(row.budget_id, row.bucket, row.subject): row for row in rows}


_counter = Counter()
note = _counter.note
forget = _counter.forget
settle = _counter.settle
recount_all = _counter.recount_all


def forget_old() -> int:
    """Delete counts of windows that have long been over."""
    before = timezone.now() - KEPT
    return sum(
        model.objects.filter(**{f"{name}__lt": before}).delete()[0]
        for model, name in ((BudgetCount, "bucket"), (UnitCount, "hour"))
    )
