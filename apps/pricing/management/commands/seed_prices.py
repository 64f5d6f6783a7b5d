"""`manage.py seed_prices`: bring the managed model prices in line with the installed price library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.pricing import library, seed


class Command(BaseCommand):
    """Idempotent; run at set-up and after an update of the library."""

    help = "Bring the managed model prices in line with the installed price library."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("--dry-run", action="store_true", help="show what would change, change nothing")
        parser.add_argument(
            "--if-needed", action="store_true", help="do nothing when this library was seeded before"
        )

    def handle(self, *, dry_run: bool, if_needed: bool, **options: Any) -> None:
        """Compare, tell, and apply unless asked not to."""
        if if_needed and seed.is_seeded():
            return
        models = library.read()
        difference = seed.compare(models) if dry_run else seed.apply(models)
        if options["verbosity"] >= 2 or dry_run:
            for line in describe(difference):
                self.stdout.write(line)
        if options["verbosity"] == 0:
            return
        self.stdout.write(
            f"{library.source()}: {len(models)} prices, {len(difference.added)} added,"
            f" {len(difference.changed)} changed, {len(difference.removed)} removed"
            + (" (dry run, nothing written)" if dry_run else "")
        )


def describe(difference: seed.Difference) -> Iterator[str]:
    """The difference line by line: what is new, gone, and every value that moves."""
    yield from (f"+ {key}" for key in difference.added)
    yield from (f"- {key}" for key in difference.removed)
    for key, (before, after) in difference.changed.items():
        yield f"~ {key}"
        old, new = dict(_flat(before)), dict(_flat(after))
        for path in sorted(old.keys() | new.keys()):
            if old.get(path) != new.get(path):
                yield f"    {path}: {old.get(path, 'none')} -> {new.get(path, 'none')}"


def _flat(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        if name == "tiers":
            for tier in value:
                yield f"{tier['name']} conditions", str(tier["conditions"])
                for key, price in tier["prices"].items():
                    yield f"{tier['name']} {key}", price
        else:
            yield name, str(value)
