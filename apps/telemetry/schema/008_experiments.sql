-- Which experiment a span is part of, and of which of its items: few spans are, so that one map, empty for
-- all others, is narrower than columns. Keys: id, name, dataset_id, item_id, item_version, root (the
-- observation that stands for the item; the row whose own id it is). What experiments say at length stays
-- with the attributes, in observation_io.
ALTER TABLE observations
    ADD COLUMN IF NOT EXISTS experiment Map(LowCardinality(String), String) COMMENT 'Experiment the span is part of; empty for most' AFTER is_infrastructure;

ALTER TABLE observations
    ADD INDEX IF NOT EXISTS by_experiment mapValues(experiment) TYPE bloom_filter(0.01) GRANULARITY 1;
