"""How long everything lasts, and where its outcome is written down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.machine import describe

HEAD = """# Endurance

What the last `bin/test --endurance` came to, written by it: kills, crowds, faults, fuzzing and half an hour
of steady load on a server of its own (`tests/endurance/`). An acknowledged record that is missing or doubled
afterwards fails the run. Every ordinary run of the suite does the same for minutes.
"""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is asked for, and where to write what came out."""

    kills: int
    soak_seconds: int
    fuzz_runs: int
    report: Path | None

    def note(self, name: str, outcome: str) -> None:
        """Add one line to the report. At once: what is known already outlives a run that is cut."""
        if self.report is not None:
            with self.report.open("a") as file:
                file.write(f"| {name} | {outcome} |\n")


@pytest.fixture(scope="session")
def effort(request: pytest.FixtureRequest) -> Effort:
    """From the command line. `bin/test --endurance` begins the report."""
    option = request.config.getoption
    report = option("--endurance-report")
    return Effort(
        option("--kills"), option("--soak-seconds"), option("--fuzz-runs"), Path(report) if report else None
    )


def begin(report: Path) -> None:
    """A report without outcomes."""
    report.write_text(f"{HEAD}\n{describe()}\n\n| what | outcome |\n|---|---|\n")
