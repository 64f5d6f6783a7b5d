-- Pieces of spans, the trace's own record (empty id), and where spans come from.
ALTER TABLE observations
    ADD COLUMN IF NOT EXISTS is_infrastructure Bool COMMENT 'HTTP, database, queue: folded in the tree, no model work' AFTER is_entry,
    ADD COLUMN IF NOT EXISTS is_partial Bool COMMENT 'Pieces of a span whose whole has not arrived' AFTER is_infrastructure,
    ADD COLUMN IF NOT EXISTS said Map(LowCardinality(String), UInt64) COMMENT 'Which event said a field: 2 * microseconds + 1 for an update; empty for whole spans' AFTER is_partial;

ALTER TABLE traces
    ADD COLUMN IF NOT EXISTS services Array(LowCardinality(String)) COMMENT 'service.name of its spans, sorted' AFTER has_root,
    ADD COLUMN IF NOT EXISTS hosts Array(LowCardinality(String)) COMMENT 'host.name of its spans, sorted' AFTER services;
