"""The price catalogue in memory: an immutable snapshot, shared by all threads, renewed when tables change.

Which definition a name takes (`Catalogue.resolve`), in this order:
 1. stages of `names.py`, exact before undated before resold before deployment;
 2. in a stage the project's own definitions before managed ones;
 3. among the project's own, the latest start date first, those without last, then by id; among managed
    ones the provider the name speaks of first, then the definition's rank.
A definition counts from its start date on. When all that match start later than the call, the earliest
of them is taken: a cost by the nearest known price says more than none.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import regex
from django.db import DatabaseError, connection

from apps.pricing.models import CatalogueVersion, ModelDefinition, PricingTier
from apps.pricing.names import MAX_NAME, Form, exact_forms, names_inside, undated_forms
from apps.pricing.rules import PATTERN_SECONDS, Definition, Tier, micros, parse_condition, search

logger = logging.getLogger(__name__)

CHECK_SECONDS = 1.0  # how long a change may stay unnoticed by a process
MAX_REMEMBERED = 20_000  # names whose answer a snapshot remembers, found or not
# CPU that a project's own patterns may take for one new name. Not time of the clock: a busy machine would
# decide what a model costs.
RESOLVE_SECONDS = 0.25

OWN, MANAGED = "own", "managed"
RESELLER = "openrouter"  # lists nearly every maker's models as `maker/model`, mostly at the maker's rates

_LITERALS = re.compile(r"^\(\?i\)\^\(?((?:[\w\-./:@\[\]= |]|\\.)+?)\)?\$$")


@dataclass(frozen=True, slots=True)
class Match:
    """What a name resolved to: definitions in order of preference, and at which stage it was found."""

    definitions: tuple[Definition, ...]
    stage: str  # exact, undated, resold or deployment
    matched_name: str  # the reading of the name that fitted

    def at(self, start_time: int) -> Definition:
        """The definition in force at a time (microseconds), else the one that comes into force first."""
        for definition in self.definitions:
            if definition.start_micros is None or definition.start_micros <= start_time:
                return definition
        return min(self.definitions, key=lambda definition: definition.start_micros or 0)


@dataclass(frozen=True, slots=True)
class Try:
    """One look-up: a reading of the name, whose definitions were asked, and all that fitted, best first."""

    stage: str
    source: str  # OWN or MANAGED
    provider: str  # whose managed definitions alone were asked; empty: all
    name: str
    found: tuple[Definition, ...]

    def taken(self) -> tuple[Definition, ...]:
        """What a match here consists of: of managed definitions only the periods of the first."""
        if self.source == OWN:
            return self.found
        return tuple(each for each in self.found if each.rank == self.found[0].rank)


class _Index:
    """Definitions by name: patterns that are lists of names become dictionary look-ups.

    Patterns of the price library are `trusted` to end; asking the clock for each would triple their time.
    """

    def __init__(self, definitions: Iterable[Definition], *, trusted: bool) -> None:
        self._trusted = trusted
        self.literals: dict[str, list[Definition]] = defaultdict(list)
        self.patterns: list[tuple[Definition, regex.Pattern[str]]] = []
        for definition in definitions:
            names = literal_names(definition.match_pattern)
            for name in names:
                self.literals[name].append(definition)
            if names:
                continue
            try:
                self.patterns.append((definition, regex.compile(definition.match_pattern)))
            except regex.error as error:
                logger.warning("Model %s has an invalid match pattern: %s", definition.id, error)

    def named(self, name: str, deadline: float = 0) -> list[Definition]:
        """The definitions that list this very name."""
        return list(self.literals.get(name.lower(), ()))

    def find(self, name: str, deadline: float) -> list[Definition]:
        """All definitions whose pattern fits, until the time is up."""
        found = self.named(name)
        if self._trusted:
            return found + [definition for definition, pattern in self.patterns if pattern.search(name)]
        for definition, pattern in self.patterns:
            left = deadline - time.thread_time()
            if left <= 0:
                logger.warning("Match patterns ran out of time for one name; the remaining were skipped")
                break
            if search(pattern, name, min(left, PATTERN_SECONDS)):
                found.append(definition)
        return found


def literal_names(pattern: str) -> list[str]:
    """The names of a pattern like `(?i)^(gpt-4o|gpt-4o-2024-08-06)$` in lower case; [] for other patterns."""
    shape = _LITERALS.match(pattern)
    if shape is None or any(sign in re.sub(r"\\.", "", shape[1]) for sign in ".[]"):
        return []
    names = (re.sub(r"\\(.)", r"\1", name).lower() for name in re.split(r"(?<!\\)\|", shape[1]))
    return list(dict.fromkeys(names))


class Catalogue:
    """Everything pricing knows at one moment. Immutable but for the memory of names already resolved."""

    def __init__(
        self, managed: Sequence[Definition], own: Mapping[str, Sequence[Definition]], version: tuple[int, int]
    ) -> None:
        self.version = version  # of managed and of project definitions
        self.managed = tuple(managed)
        self.own = {project: tuple(definitions) for project, definitions in own.items()}
        self._managed_index = _Index(managed, trusted=True)
        by_provider: dict[str, list[Definition]] = defaultdict(list)
        for definition in managed:
            by_provider[definition.provider].append(definition)
        self._provider_index = {
            provider: _Index(owned, trusted=True) for provider, owned in by_provider.items()
        }
        self._own_index = {
            project: _Index(definitions, trusted=False) for project, definitions in own.items()
        }
        self._resold: dict[str, str] = {}
        for definition in by_provider[RESELLER]:
            for full_name in literal_names(definition.match_pattern):
                self._resold.setdefault(full_name.rpartition("/")[2], full_name)
        everything = (*self.managed, *(each for definitions in self.own.values() for each in definitions))
        self._by_id = {definition.id: definition for definition in everything}
        self._memory: dict[tuple[str, str], Match | None] = {}
        self._memory_lock = threading.Lock()

    def definition(self, model_id: str) -> Definition | None:
        """The definition with this id, as observations keep it; None when it is gone."""
        return self._by_id.get(model_id)

    def resolve(self, project_id: str, name: str) -> Match | None:
        """The definitions a model name takes in a project, or None; remembered, found or not."""
        if not name or len(name) > MAX_NAME:
            return None
        key = (project_id if project_id in self._own_index else "", name)
        try:
            return self._memory[key]
        except KeyError:
            match = self._resolve(project_id, name)
        with self._memory_lock:
            while len(self._memory) >= MAX_REMEMBERED:
                del self._memory[next(iter(self._memory))]
            self._memory[key] = match
        return match

    def _resolve(self, project_id: str, name: str) -> Match | None:
        """The first look-up that finds something decides. Where a project's own definitions all start on
        some day, the managed ones of the same stage hold for the time before."""
        own: Match | None = None
        for tried in self.tries(project_id, name):
            if own is not None and tried.stage != own.stage:
                break
            if not tried.found or (own is not None and tried.source == OWN):
                continue
            match = Match(tried.taken(), tried.stage, tried.name)
            if own is not None:
                return Match(own.definitions + match.definitions, own.stage, own.matched_name)
            if tried.source != OWN or any(each.start_micros is None for each in match.definitions):
                return match
            own = match
        return own

    def tries(self, project_id: str, name: str) -> Iterator[Try]:
        """Every look-up of a name, in order; lazy, since the first that finds something mostly is the last
        that is needed."""
        forms = exact_forms(name)
        raw = [Form(None, name.strip())]  # a project's pattern may tell upper from lower case
        looser = undated_forms(forms)
        yield from self._own_tries(project_id, raw + forms, "exact")
        yield from self._managed_tries(forms, "exact")
        yield from self._own_tries(project_id, looser, "undated")
        yield from self._managed_tries(looser, "undated")
        yield from self._resold_tries(forms + looser)
        yield from self._inside_tries(project_id, forms)

    def _own_tries(self, project_id: str, forms: Sequence[Form], stage: str) -> Iterator[Try]:
        index = self._own_index.get(project_id)
        if index is None:
            return
        deadline = time.thread_time() + RESOLVE_SECONDS
        for form in dict.fromkeys(forms):
            found = sorted(index.find(form.name, deadline), key=_latest_start_first)
            yield Try(stage, OWN, "", form.name, tuple(found))

    def _managed_tries(self, forms: Sequence[Form], stage: str) -> Iterator[Try]:
        """Of the provider that the name speaks of, then of all. A name with slashes fits an unanchored
        pattern too easily: patterns see it last."""
        for form in forms:
            index = self._provider_index.get(form.provider or "")
            if index is not None:
                yield _managed_try(stage, form, index.find, form.provider or "")
        for form in forms:
            look_up = self._managed_index.named if "/" in form.name else self._managed_index.find
            yield _managed_try(stage, form, look_up)
        for form in forms if stage == "exact" else ():
            if "/" in form.name:
                yield _managed_try(stage, form, self._managed_index.find)

    def _resold_tries(self, forms: Sequence[Form]) -> Iterator[Try]:
        """A bare name whose maker has no price list of its own here, by a reseller's name for it."""
        for form in forms:
            full_name = self._resold.get(form.name)
            if full_name is not None:
                yield from self._managed_tries([Form(RESELLER, full_name)], "resold")
                return

    def _inside_tries(self, project_id: str, forms: Sequence[Form]) -> Iterator[Try]:
        for form in reversed(forms):
            inside = names_inside(form.name, self._managed_index.literals)
            if inside is not None:
                inner = [Form(form.provider, inside)]
                yield from self._own_tries(project_id, inner, "deployment")
                yield from self._managed_tries(inner, "deployment")
                return

    @property
    def listed_names(self) -> Mapping[str, Sequence[Definition]]:
        """Every name that a managed definition lists, with those that do."""
        return self._managed_index.literals


def _managed_try(
    stage: str, form: Form, find: Callable[[str, float], list[Definition]], provider: str = ""
) -> Try:
    found = find(form.name, time.thread_time() + RESOLVE_SECONDS)
    best_first = sorted(found, key=lambda each: (each.rank, *_latest_start_first(each)))
    return Try(stage, MANAGED, provider, form.name, tuple(best_first))


def _latest_start_first(definition: Definition) -> tuple[bool, int, str]:
    return (definition.start_micros is None, -(definition.start_micros or 0), definition.id)


# --- loading ------------------------------------------------------------------------------------------------

_current: Catalogue | None = None
_checked_at = 0.0
_load_lock = threading.Lock()


def current() -> Catalogue:
    """The catalogue as of at most a second ago. Call once a batch, from a thread (it may query)."""
    global _checked_at
    snapshot = _current
    if snapshot is None:
        with _load_lock:
            return _refreshed()
    if time.monotonic() - _checked_at >= CHECK_SECONDS and _load_lock.acquire(blocking=False):
        try:  # one thread looks, the others go on with what is there
            return _refreshed()
        except DatabaseError:
            logger.exception("The price tables could not be read; going on with the prices already loaded")
            _checked_at = time.monotonic()
        finally:
            _load_lock.release()
    return snapshot


def forget() -> None:
    """Drop the snapshot, so that the next reader loads it anew."""
    global _current, _checked_at
    with _load_lock:
        _current, _checked_at = None, 0.0


def look_again() -> None:
    """Let the next reader see at once what this process has written; others notice within a second."""
    global _checked_at
    _checked_at = 0.0


def _refreshed() -> Catalogue:
    global _current, _checked_at
    if _current is not None and time.monotonic() - _checked_at < CHECK_SECONDS:
        return _current
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()  # threads here outlive a lost connection
    numbers = dict(CatalogueVersion.objects.values_list("scope", "number"))
    version = (numbers.get(CatalogueVersion.MANAGED, 0), numbers.get(CatalogueVersion.PROJECTS, 0))
    if _current is None or version != _current.version:
        same_managed = _current is not None and version[0] == _current.version[0]
        managed = _current.managed if same_managed and _current is not None else _load(managed=True)
        own: dict[str, list[Definition]] = defaultdict(list)
        for definition in _load(managed=False):
            own[definition.project_id or ""].append(definition)
        _current = Catalogue(managed, own, version)
    _checked_at = time.monotonic()
    return _current


def _load(*, managed: bool) -> tuple[Definition, ...]:
    scope: dict[str, Any] = {"project_id__isnull": managed}
    tiers: dict[str, list[tuple[PricingTier, Tier]]] = defaultdict(list)
    for row in PricingTier.objects.filter(
        **{f"definition__{name}": value for name, value in scope.items()}
    ).order_by("priority"):
        try:
            conditions = tuple(parse_condition(condition) for condition in row.conditions)
        except ValueError as error:
            logger.warning("Tier %s was left out: %s", row.id, error)
            continue
        tiers[row.definition_id].append((row, Tier(row.id, row.name, conditions, row.prices, managed)))
    return tuple(
        _definition(row, tiers[row.id])
        for row in ModelDefinition.objects.filter(**scope).order_by("rank", "id")
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _definition(row: ModelDefinition, tiers: list[tuple[PricingTier, Tier]]) -> Definition:
    return Definition(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        provider=row.provider,
        match_pattern=row.match_pattern,
        start_micros=micros(row.start_date),
        unit=row.unit,
        tokenizer_id=row.tokenizer_id,
        rank=row.rank,
        revision=row.revision,
        default_tier=next((tier for stored, tier in tiers if stored.is_default), None),
        other_tiers=tuple(tier for stored, tier in tiers if not stored.is_default),
        tokenizer_model=_text(row.tokenizer_config.get("tokenizerModel")),
    )
