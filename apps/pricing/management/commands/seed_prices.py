"""`manage.py seed_prices`: bring the managed model prices in line with the installed price library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.pricing import library, seed
from apps.pricing.history import changes


class Command(BaseCommand):
    """Shows what would change; with --apply it does. Repeatable."""

    help = "Show how the installed price library differs from the managed model prices, and take it over."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("--apply", action="store_true", help="write what is shown; without it nothing is")
        parser.add_argument(
            "--if-needed", action="store_true", help="do nothing when this library was seeded before"
        )

    def handle(self, *, apply: bool, if_needed: bool, **options: Any) -> None:
        """Compare, tell, and apply when asked to."""
        if if_needed and seed.is_seeded():
            return
        models = library.read()
        difference = seed.apply(models) if apply else seed.compare(models)
        if options["verbosity"] == 0:
            return
        for line in describe(difference):
            self.stdout.write(line)
        self.stdout.write(
            f"{library.source()}: {len(models)} prices, {len(difference.added)} added,"
            f" {len(difference.changed)} changed, {len(difference.removed)} removed"
        )
        if not apply and not difference.is_empty:
            self.stdout.write(
                "Nothing is written yet. To take this over: manage.py seed_prices --apply."
                " Costs that are stored stay as they are."
            )


def describe(difference: seed.Difference) -> Iterator[str]:
    """The difference line by line: what is new, gone, and every value that moves. Prices are US dollars for
    a million units."""
    yield from (f"+ {key}" for key in difference.added)
    yield from (f"- {key}" for key in difference.removed)
    for key, (before, after) in difference.changed.items():
        yield f"~ {key}"
        for change in changes(before, after):
            yield f"    {change.what}: {change.before or 'none'} -> {change.after or 'none'}"
