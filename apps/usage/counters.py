"""Counting what is stored, as it is stored: against budgets, and units of organizations on a plan.

`note` is called by whoever committed and only puts what counts of it into a queue, without its content. A
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
from datetime import date, datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Final

from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.core.clock import to_datetime
from apps.core.errors import ApiError
from apps.organizations.models import Project
from apps.telemetry.gate import QueryFailed
from apps.tracing.records import MERGED, Observation, Score
from apps.tracing.stored import cost_units, tokens
from apps.tracing.writer import CommitResult
from apps.usage import budgets, quotas, rules
from apps.usage.budget_models import (
    Budget,
    BudgetCount,
    Crossing,
    OrganizationPlan,
    QuotaNotice,
    Scope,
    UnitCount,
)
from apps.usage.rules import MAX_AMOUNT, Counted, Item, Rule
from apps.usage.windows import Period

log = logging.getLogger(__name__)

CHECK_SECONDS: Final = 3.0  # how old the list of whom to watch may be
MAX_WAITING: Final = 20_000  # rows; beyond, budgets are counted from the store
MAX_TRACES: Final = 20_000  # whose user and tags are remembered
PAUSE: Final = 10  # times as long as a count from the store took, no budget is counted so again
LEAST_PAUSE: Final = 0.25  # seconds between two of one budget
TRIES: Final = 3  # to count from the store while another process adds
KEPT: Final = timedelta(days=70)  # counts of windows that are over
KEPT_TOLD: Final = timedelta(days=400)  # that a threshold was passed: longer than any window
MAX_FORGOTTEN: Final = 50_000  # of those in one night

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
        self._queue: SimpleQueue[Noted] = SimpleQueue()
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
        self._rest_until = -math.inf  # when (monotonic) the store may be asked for a budget again
        self._traces: OrderedDict[TraceKey, tuple[str, tuple[str, ...]]] = OrderedDict()

    # --- any thread ---------------------------------------------------------------------------------

    def note(self, records: Sequence[Observation | Score], result: CommitResult) -> None:
        """Take what was committed, to be counted in a moment. Costs nothing while nobody is watched."""
        is_fresh = time.monotonic() - self._asked_at < CHECK_SECONDS
        known = self._watched.organizations if is_fresh else None
        if known is not None and not known:
            return
        noted = Noted(records, result, known)
        if not noted.rows:
            return
        if self._waiting + noted.rows > MAX_WAITING and self._waiting:
            self._lost = True
            return
        self._waiting += noted.rows
        self._queue.put(noted)
        if self._thread is None:
            self._start()

    def forget(self) -> None:
        """Ask anew whom to watch."""
        self._asked_at = -math.inf

    def settle(self) -> None:
        """Count what waits, here and now. For tests and tools."""
        with self._lock:
            self._take(block=False)
            while self._due and self._do_due(hurry=True):
                pass

    def recount_all(self) -> int:
        """Count every budget's current window from the store; how many. One that cannot be counted holds
        up no other; it is counted later."""
        with self._lock:
            self._take(block=False)
            everybody = [rule for each in self._look().rules.values() for rule in each]
        done = 0
        for rule in everybody:
            with self._lock:  # for one at a time: meanwhile others add
                done += self._try_recount(rule)
        return done

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
        wait = max(min(map(self._when, self._due)) - time.monotonic(), 0) if self._due else None
        try:
            waiting = [self._queue.get(block=block, timeout=wait if block else None)]
        except Empty:
            return
        while not self._queue.empty():
            waiting.append(self._queue.get())
        self._waiting = 0
        with self._lock:
            for noted in waiting:
                self._count(noted)

    def _look(self) -> Watched:
        """Whom to watch, as it was CHECK_SECONDS ago at most."""
        seen, now = self._watched, time.monotonic()
        if now - self._asked_at > CHECK_SECONDS:
            before = {rule.budget.id: rule for each in seen.rules.values() for rule in each}
            seen = watched()
            for each in seen.rules.values():
                for rule in each:
                    if not _is_same(rule, before.get(rule.budget.id)):
                        self._counted.discard(rule.budget.id)
            self._watched, self._asked_at = seen, now
        if self._lost:
            self._lost = False
            self._doubt_all()
        return seen

    def _count(self, noted: Noted) -> None:
        seen = self._look()
        if not seen.organizations:
            return
        stored = _Commit(seen, noted)
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

    def _add_units(self, units: Mapping[tuple[str, datetime], int]) -> None:
        with transaction.atomic():
            for (organization_id, hour), more in sorted(units.items()):
                row, _made = UnitCount.objects.select_for_update().get_or_create(
                    organization_id=organization_id, hour=hour
                )
                row.units += more
                row.save(update_fields=["units"])
        for organization_id, _hour in units:
            self._plan(_QUOTA, organization_id)

    def _add(self, added: Mapping[Rule, Mapping[tuple[datetime, str], int]], version: int) -> None:
        """Add what a commit brought to the counts that did not see it in the store."""
        now = timezone.now()
        current = {
            rule: {key: amount for key, amount in amounts.items() if key[0] >= rule.period(now).start}
            for rule, amounts in added.items()
        }  # nothing of a window that is over
        with transaction.atomic():
            more = {
                (rule.budget.id, *key): amount
                for rule, amounts in current.items()
                for key, amount in amounts.items()
            }
            # Before their counts, as whoever counts from the store locks them; without those deleted since.
            wanted = Budget.objects.filter(pk__in={rule.budget.id for rule in added}).order_by("pk")
            held = set(wanted.select_for_update(no_key=True).values_list("pk", flat=True))
            more = {key: amount for key, amount in more.items() if key[0] in held}
            changed = [row for row in _rows(more) if row.counted_to < version]
            for row in changed:
                row.amount = min(row.amount + more[row.budget_id, row.bucket, row.subject], MAX_AMOUNT)
            BudgetCount.objects.bulk_update(changed, ["amount"], batch_size=200)
            touched = {
                rule: {subject for _, subject in amounts}
                for rule, amounts in added.items()
                if rule.budget.id in held
            }
            budgets.notice(touched, now)

    # --- doubt ----------------------------------------------------------------------------------------

    def _doubt(self, seen: Watched, stored: _Commit) -> None:
        """Have those budgets counted from the store to which this commit cannot simply be added."""
        for project_id in stored.merged:
            for rule in seen.rules.get(seen.organizations.get(project_id, ""), ()):
                if rule.is_of(project_id):
                    self._plan(_BUDGET, rule.budget.id)
        for trace in stored.traces:
            of_traces = [
                rule
                for rule in seen.rules.get(seen.organizations.get(trace.project_id, ""), ())
                if rule.budget.scope in (Scope.USER, Scope.TAG) and rule.is_of(trace.project_id)
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

    def _when(self, job: _Job) -> float:
        """When (monotonic) something may be done: the store is not asked for budgets all the time."""
        return max(self._due[job], self._rest_until if job[0] == _BUDGET else -math.inf)

    def _do_due(self, *, hurry: bool = False) -> bool:
        """Do one thing that is due, the one that waits longest, or with `hurry` that will be; whether
        something was done."""
        now = time.monotonic()
        job = next((job for job in self._due if hurry or self._when(job) <= now), None)
        if job is None:
            return False
        del self._due[job]
        kind, id = job
        began = time.monotonic()
        if kind == _QUOTA:
            quotas.evaluate(id)
        else:
            self._recount_one(id)
        ended = time.monotonic()
        pause = PAUSE * (ended - began)
        self._again[job] = ended + max(LEAST_PAUSE, pause)
        if kind == _BUDGET:
            self._rest_until = ended + pause
        if job in self._due:  # it failed, and is tried again
            self._due[job] = self._again[job]
            return False
        return True

    def _recount_one(self, budget_id: str) -> None:
        for each in self._look().rules.values():
            for rule in each:
                if rule.budget.id == budget_id:
                    self._try_recount(rule)

    def _try_recount(self, rule: Rule) -> bool:
        """Count a budget from the store; when that fails, have it done later and say so in the log."""
        try:
            self._recount(rule, self._look())
            return True
        except _TROUBLE as error:
            log.warning("budget %s could not be counted from the store: %s", rule.budget.id, error)
        except Exception:  # a mistake of ours, which must not keep others' budgets
            log.exception("budget %s could not be counted from the store", rule.budget.id)
        self._counted.discard(rule.budget.id)
        self._plan(_BUDGET, rule.budget.id)
        return False

    def _recount(self, rule: Rule, seen: Watched) -> None:
        projects = seen.projects_of(rule.budget.organization_id)
        for left in reversed(range(TRIES)):
            now = timezone.now()
            period = rule.period(now)
            before = _amounts_in(rule, period)
            counted = rules.count(rule, projects, period)
            counted = rules.with_expired(counted, before, rules.kept_since(rule, projects, now))
            with transaction.atomic():
                # Locked, so that whoever deletes or adds waits, or has made the difference that is seen here.
                held = Budget.objects.select_for_update().filter(pk=rule.budget.pk).first()
                if held is None:
                    return  # deleted since
                if held.updated_at != rule.budget.updated_at:  # it has other terms now
                    self.forget()
                    self._plan(_BUDGET, held.id)
                    return
                if _amounts_in(rule, period, lock=True) != before and left:
                    continue  # another process added what may not have been in the store yet
                _replace(rule, period, counted)
                budgets.notice({rule: {subject for _, subject in counted.amounts}}, now)
            break
        self._counted.add(rule.budget.id)


class Noted:
    """What a commit holds that counts, without its content: `note` makes it, so that a queue of many stays
    small. `of`: only of these projects; None: whom to watch is not known just now."""

    __slots__ = ("fresh", "items", "merged", "traces", "version")

    def __init__(
        self,
        records: Iterable[Observation | Score],
        result: CommitResult,
        of: Collection[str] | None = None,
    ) -> None:
        self.version = max(result.sequences.values(), default=0)
        self.items: list[Item] = []  # new rows
        self.merged: set[str] = set()  # projects of which a stored row changed
        self.fresh: dict[TraceKey, int] = defaultdict(int)
        self.traces = [
            _Trace(t.project_id, t.id, t.user_id, t.tags, t.observation_count)
            for t in result.traces
            if of is None or t.project_id in of
        ]
        facts = {(t.project_id, t.id): (t.user_id, t.tags) for t in self.traces}
        for record in records:
            if (of is None or record.project_id in of) and isinstance(record, Observation) and record.id:
                self._take(record, *facts.get((record.project_id, record.trace_id), ("", ())))
        for score in result.scores:
            if (of is None or score.project_id in of) and score.created_at == score.updated_at:
                key, when, received = score.api_key_id, score.timestamp, score.created_at
                self.items.append(Item(score.project_id, key, "", "", (), when, 0, 0, 1, received))

    @property
    def rows(self) -> int:
        """About how much there is to count."""
        return len(self.items) + len(self.merged) + len(self.traces)

    def _take(self, row: Observation, user: str, tags: tuple[str, ...]) -> None:
        if not row.outcome:
            counts = not row.is_infrastructure
            usd = cost_units(row.total_cost) if row.total_cost is not None else 0
            spent = tokens(row.usage)[2] if row.usage else 0
            item = Item(
                row.project_id, row.api_key_id, row.model, user, tags, row.start_time, usd, spent,
                counts + (counts and row.is_root), row.received_at,
            )  # fmt: skip
            self.items.append(item)
            self.fresh[row.project_id, row.trace_id] += 1
        elif row.outcome == MERGED and (
            row.model or row.usage or row.provided_cost or row.is_root or row.is_infrastructure
        ):
            self.merged.add(row.project_id)


@dataclass(frozen=True, slots=True)
class _Trace:
    """What a trace says of its rows."""

    project_id: str
    id: str
    user_id: str
    tags: tuple[str, ...]
    observation_count: int


class _Commit:
    """What of a commit is of those who are watched, by organization."""

    def __init__(self, seen: Watched, noted: Noted) -> None:
        self.version, self.fresh, self.traces = noted.version, noted.fresh, noted.traces
        self.merged = noted.merged  # projects
        self.items: dict[str, list[Item]] = defaultdict(list)
        self.units: dict[tuple[str, datetime], int] = defaultdict(int)  # on a plan, by hour received
        for item in noted.items:
            owner = seen.organizations.get(item.project_id)
            if owner is not None:
                self.items[owner].append(item)
                if owner in seen.planned and item.units:
                    self.units[owner, _hour(item.received)] += item.units


def _hour(micros: int) -> datetime:
    return to_datetime(micros).replace(minute=0, second=0, microsecond=0)


def _is_same(rule: Rule, before: Rule | None) -> bool:
    """Whether a rule was there already with the same terms."""
    return (
        before is not None and before.budget.updated_at == rule.budget.updated_at and before.zone == rule.zone
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


def _rows(keys: Collection[tuple[str, datetime, str]]) -> list[BudgetCount]:
    """The counts of these budgets, buckets and subjects, made where there are none yet, and locked: in one
    order, and read only then, so that of two processes that add neither loses what the other added."""
    wanted = BudgetCount.objects.filter(
        budget__in={id for id, _, _ in keys},
        bucket__in={bucket for _, bucket, _ in keys},
        subject__in={subject for _, _, subject in keys},
    )
    missing = sorted(set(keys) - set(wanted.values_list("budget", "bucket", "subject")))
    BudgetCount.objects.bulk_create(
        [BudgetCount(budget_id=id, bucket=bucket, subject=subject) for id, bucket, subject in missing],
        ignore_conflicts=True,
        batch_size=200,
    )
    rows = wanted.select_for_update().order_by("pk")
    return [row for row in rows if (row.budget_id, row.bucket, row.subject) in keys]


def _amounts_in(rule: Rule, period: Period, *, lock: bool = False) -> dict[tuple[datetime, str], int]:
    """What is counted of a budget in a period."""
    rows = _in(rule, period).select_for_update().order_by("pk") if lock else _in(rule, period)
    return {
        (bucket, subject): amount
        for bucket, subject, amount in rows.values_list("bucket", "subject", "amount")
    }


def _replace(rule: Rule, period: Period, counted: Counted) -> None:
    """Put what the store says in the place of what was counted of a period."""
    _in(rule, period).delete()
    rows = [
        BudgetCount(
            budget=rule.budget, bucket=bucket, subject=subject, amount=amount, counted_to=counted.version
        )
        for (bucket, subject), amount in counted.amounts.items()
    ]
    BudgetCount.objects.bulk_create(
        rows,
        batch_size=500,
        update_conflicts=True,
        update_fields=["amount", "counted_to"],
        unique_fields=["budget", "bucket", "subject"],
    )


def _in(rule: Rule, period: Period) -> QuerySet[BudgetCount]:
    return BudgetCount.objects.filter(budget=rule.budget, bucket__gte=period.start, bucket__lt=period.end)


_counter = Counter()
note = _counter.note
forget = _counter.forget
settle = _counter.settle
recount_all = _counter.recount_all


def forget_old() -> int:
    """Delete counts of windows that have long been over, and what was told of windows older still, at most
    MAX_FORGOTTEN rows of it a kind; how many rows. Safe to repeat."""
    before = timezone.now() - KEPT
    counts = sum(
        model.objects.filter(**{f"{name}__lt": before}).delete()[0]
        for model, name in ((BudgetCount, "bucket"), (UnitCount, "hour"))
    )
    told = timezone.now() - KEPT_TOLD
    return (
        counts + _forget(Crossing, window_start__lt=told) + _forget(QuotaNotice, cycle_start__lt=told.date())
    )


def _forget(model: type[Crossing] | type[QuotaNotice], **old: date | datetime) -> int:
    """Delete the oldest of these, up to MAX_FORGOTTEN: the first night may find years of them."""
    some = model.objects.filter(**old).order_by("pk").values_list("pk", flat=True)[:MAX_FORGOTTEN]
    return model.objects.filter(pk__in=some).delete()[0]
