"""Why a model name takes the definition it takes: every candidate in order, and why others were passed over.

Goes through the very look-ups that pricing goes through (`Catalogue.tries`), past the one that decided.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Literal

from apps.pricing.catalogue import OWN, Catalogue, Match, Try
from apps.pricing.names import MAX_NAME, exact_forms
from apps.pricing.rules import Definition

MAX_CANDIDATES = 40
Verdict = Literal[
    "taken",  # its prices hold
    "taken early",  # starts later, but nothing else is known
    "starts later",
    "replaced",  # another price of the same match began later
    "after own",  # the project's own definition comes first
    "other provider",  # the name speaks of another provider
    "later provider",  # another provider comes earlier in the list
    "looser",  # a closer reading of the name fitted
]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A definition that fits some reading of the name, and what became of it."""

    definition: Definition
    stage: str
    read_as: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a name takes: the definition in force, and all candidates in the order they were looked at."""

    taken: Definition | None
    match: Match | None
    candidates: list[Candidate]
    readings: list[tuple[str, str]]  # (stage, reading) that were looked up, in order, found or not


def explain(catalogue: Catalogue, project_id: str, name: str, at: int) -> Explanation:
    """Which definition `name` takes for a call at `at` (microseconds), and why."""
    match = catalogue.resolve(project_id, name)
    tries = list(catalogue.tries(project_id, name)) if 0 < len(name) <= MAX_NAME else []
    readings = list(dict.fromkeys((tried.stage, tried.name) for tried in tries))
    if match is None:
        return Explanation(None, None, [], readings)
    taken = match.at(at)
    decisive = next(tried for tried in tries if taken in tried.found)
    candidates: dict[str, Candidate] = {}
    for tried in tries:
        for definition in tried.found:
            verdict = _verdict(definition, tried, decisive, match, taken, at)
            candidates.setdefault(definition.id, Candidate(definition, tried.stage, tried.name, verdict))
    return Explanation(taken, match, list(candidates.values())[:MAX_CANDIDATES], readings)


def _verdict(
    definition: Definition, tried: Try, decisive: Try, match: Match, taken: Definition, at: int
) -> Verdict:
    if definition is taken:
        return "taken early" if _starts_later(definition, at) else "taken"
    if definition in match.definitions:
        if _starts_later(definition, at):
            return "starts later"
        return "after own" if taken.project_id and not definition.project_id else "replaced"
    if tried.stage != decisive.stage:
        return "looser"
    if decisive.source == OWN and tried.source != OWN:
        return "after own"
    if decisive.provider and definition.provider != decisive.provider:
        return "other provider"
    return "later provider" if tried.name == decisive.name else "looser"


def _starts_later(definition: Definition, at: int) -> bool:
    return definition.start_micros is not None and definition.start_micros > at


def similar(catalogue: Catalogue, name: str, limit: int, least: float = 0.45) -> list[Definition]:
    """Managed definitions that are called nearly so, most alike first: a proposal for people, never what
    prices go by. `least` is from 0 to 1, for equal names."""
    bare = exact_forms(name)[-1].name[:MAX_NAME]
    words = _words(bare)
    known = catalogue.listed_names
    near = {each for each in known if words & _words(each)}
    scored = sorted(((_likeness(bare, each), each) for each in near), reverse=True)
    found = [min(known[each], key=lambda it: it.rank) for score, each in scored if score >= least]
    return list({definition.name: definition for definition in found}.values())[:limit]


def _words(name: str) -> frozenset[str]:
    return frozenset(word for word in re.split(r"[^a-z0-9.]+", name) if len(word) > 1)


def _likeness(one: str, other: str) -> float:
    """Letters in words that both have, and letters in the same order, half and half."""
    mine, theirs = _words(one), _words(other)
    shared = sum(map(len, mine & theirs)) / (sum(map(len, mine | theirs)) or 1)
    return (shared + difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()) / 2
