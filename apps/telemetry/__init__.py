"""The one door to ClickHouse or chDB: engine, bound queries, block inserts, numbered migrations."""
