"""Commands of the ingestion room."""
