"""What changed from one revision of a definition to the next. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Change:
    """A value that moved; `before` or `after` is empty where it did not exist. Prices are US dollars for a
    million units."""

    what: str
    before: str
    after: str


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[Change]:
    """The differences of two contents of a definition, as revisions keep them, by name."""
    old, new = dict(_flat(before or {})), dict(_flat(after))
    return [
        Change(path, old.get(path, ""), new.get(path, ""))
        for path in sorted(old.keys() | new.keys())
        if old.get(path, "") != new.get(path, "")
    ]


def _flat(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        if name == "tiers":
            for tier in value:
                if tier["conditions"]:
                    yield f"{tier['name']} conditions", str(tier["conditions"])
                for key, price in tier["prices"].items():
                    yield f"{tier['name']} {key}", f"{(Decimal(price) * _MILLION).normalize():f}"
        elif value not in (None, "", {}):
            yield name, str(value)
