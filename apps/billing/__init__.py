"""Plans, the ledger, invoices and payment. Reads the meter and the rollups, never telemetry."""
