"""Traces and observations: their records, the writer and the repository over telemetry, API and pages."""
