"""What the tables of the telemetry store still tell of."""

from __future__ import annotations

from apps.telemetry.gate import gate

TABLES = {"traces": "id", "observations": "trace_id", "observation_io": "trace_id", "scores": "trace_id"}


def left(project_id: str) -> dict[str, set[str]]:
    """Traces of a project that each table still tells of."""
    return {
        table: {
            row[0]
            for row in gate().query(
                f"SELECT DISTINCT {name} FROM {table} WHERE project_id = {{p:String}}",
                {"p": project_id},
                purpose="test",
            )
        }
        for table, name in TABLES.items()
    }


def everywhere(*traces: str) -> dict[str, set[str]]:
    """As `left`, where all of them are in each table."""
    return {table: set(traces) for table in TABLES}
