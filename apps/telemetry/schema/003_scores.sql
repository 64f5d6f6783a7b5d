-- Judgements, one current row each. A changed score is written again whole with a later v and the same sort
-- key; readers take the newest v, merges drop the others. One insert is the whole commit of a score: a crash
-- leaves the row before it or the row after it, and nothing to repair.
CREATE TABLE IF NOT EXISTS scores (
    project_id LowCardinality(String) COMMENT 'Project that owns the row; every read is bound to one',
    hour UInt32 COMMENT 'Hours since the epoch of the first timestamp stored; sort key, never moves',
    id String COMMENT 'Score, as sent; unique within its project',
    v UInt64 COMMENT 'Version: microseconds since the epoch of the commit that wrote the row',
    writer LowCardinality(String) COMMENT 'Writer (process) of that commit; receipts name it',
    timestamp DateTime64(6, 'UTC') COMMENT 'When it was given; the first value sent holds',
    name LowCardinality(String) COMMENT 'Name',
    type LowCardinality(String) COMMENT 'NUMERIC, BOOLEAN, CATEGORICAL, TEXT or CORRECTION',
    value Float64 COMMENT 'The number; BOOLEAN: 0 or 1; CATEGORICAL: of the category; otherwise 0',
    string_value String COMMENT 'BOOLEAN: True or False; CATEGORICAL: label; TEXT, CORRECTION: the text' CODEC(ZSTD(1)),
    trace_id String COMMENT 'Trace that is judged, or that holds the observation; may be empty',
    observation_id String COMMENT 'Observation that is judged; may be empty',
    session_id String COMMENT 'Session that is judged; may be empty',
    dataset_run_id String COMMENT 'Dataset run that is judged; may be empty',
    source LowCardinality(String) COMMENT 'API, ANNOTATION or EVAL',
    comment String COMMENT 'What the judge adds in words' CODEC(ZSTD(1)),
    metadata Map(String, String) COMMENT 'Key to text; other values as JSON text',
    environment LowCardinality(String) COMMENT 'Environment; default when none was sent',
    config_id LowCardinality(String) COMMENT 'Score config it follows; may be empty',
    queue_id LowCardinality(String) COMMENT 'Annotation queue it comes from; may be empty',
    author_user_id LowCardinality(String) COMMENT 'Person who gave it in our pages; may be empty',
    created_at DateTime64(6, 'UTC') COMMENT 'When it first arrived',
    updated_at DateTime64(6, 'UTC') COMMENT 'When it last changed',
    api_key_id LowCardinality(String) COMMENT 'Key it arrived with',
    said Map(String, UInt64) COMMENT 'Which event said a field: 2 * microseconds + 1 for an update',
    INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_trace trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_session session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_run dataset_run_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_version v TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree(v)
PARTITION BY if(hour BETWEEN 438288 AND 701280, toYYYYMM(toDateTime(hour * 3600, 'UTC')), 0)
ORDER BY (project_id, hour, id)
SETTINGS
    index_granularity = 512,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    merge_selector_base = 12,
    max_bytes_to_merge_at_max_space_in_pool = 150000000
COMMENT 'Scores';
