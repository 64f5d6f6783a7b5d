"""How long everything lasts, and where its outcome is written down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks.machine import describe

HEAD = """# Endurance

What the last `bin/test --endurance` came to, written by it: kills, crowds, faults, fuzzing and half an hour
of steady load on a server of its own (`tests/endurance/`). An acknowledged record that is missing or doubled
afterwards fails the run. Every ordinary run of the suite does the same for minutes.
"""


@dataclass
class Effort:
    """How much is asked for, and what came out."""

    kills: int
    soak_seconds: int
    fuzz_runs: int
    notes: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, outcome: str) -> None:
        """Remember one line for the report."""
        self.notes[name] = outcome


@pytest.fixture(scope="session")
def effort(request: pytest.FixtureRequest) -> Iterator[Effort]:
    """From the command line; written to --endurance-report at the end, when that is given."""
    option = request.config.getoption
    effort = Effort(option("--kills"), option("--soak-seconds"), option("--fuzz-runs"))
    yield effort
    if path := option("--endurance-report"):
        lines = [f"| {name} | {outcome} |" for name, outcome in sorted(effort.notes.items())]
        Path(path).write_text(
            "\n".join([HEAD, describe(), "", "| what | outcome |", "|---|---|", *lines, ""])
        )
