-- One row a span, complete and current: everything but its content. Narrow rows make lists, filters and
-- metrics cheap. A replaced row is inserted anew with a later event_ts, then the older one is deleted.
--
-- hour is a number of its own because DateTime ends in 2106 and times are as odd as their senders;
-- partitions are months, bounded by the years that can be true, so that odd times cannot make thousands.
CREATE TABLE IF NOT EXISTS observations (
    project_id LowCardinality(String) COMMENT 'Project that owns the row; every read is bound to one',
    hour UInt32 COMMENT 'Hours since the epoch of start_time; sort key, never moves',
    trace_id String COMMENT 'Trace, as sent',
    id String COMMENT 'Observation (span), as sent; unique within its trace',
    event_ts UInt64 COMMENT 'Version: microseconds since the epoch of the commit that wrote the row',
    writer LowCardinality(String) COMMENT 'Writer (process) of that commit; receipts name it',
    arrivals Array(UInt64) COMMENT 'Hashes of the arrivals this row was made of: a repeated one changes nothing',
    received_at DateTime64(6, 'UTC') COMMENT 'When the span first arrived',
    start_time DateTime64(6, 'UTC') COMMENT 'Start; the first value sent holds',
    end_time Nullable(DateTime64(6, 'UTC')) COMMENT 'End; null while not known',
    completion_start_time Nullable(DateTime64(6, 'UTC')) COMMENT 'First token of the answer',
    latency_ms Nullable(UInt64) COMMENT 'end_time - start_time in ms, never negative',
    parent_id String COMMENT 'Parent observation; empty for a root',
    type LowCardinality(String) COMMENT 'SPAN, GENERATION, EVENT, AGENT, TOOL, …',
    name LowCardinality(String) COMMENT 'Name, as sent',
    level LowCardinality(String) COMMENT 'DEBUG, DEFAULT, WARNING or ERROR',
    status_message String COMMENT 'Message that goes with the level',
    environment LowCardinality(String) COMMENT 'Environment; default when none was sent',
    version LowCardinality(String) COMMENT 'Version of the sending program, as sent',
    release LowCardinality(String) COMMENT 'Release of the sending program, as sent',
    is_root Bool COMMENT 'Has no parent, or was marked as root',
    is_app_root Bool COMMENT 'First span of the application within a wider trace',
    is_entry Bool COMMENT 'Marked as entry point of the generative part',
    metadata Map(String, String) COMMENT 'Key to text; other values as JSON text',
    model LowCardinality(String) COMMENT 'Model, as the sender named it',
    model_parameters String COMMENT 'JSON object text',
    usage Map(LowCardinality(String), UInt64) COMMENT 'Units by kind (input, output, total, …)',
    input_tokens UInt64 COMMENT 'Sum of the usage of kinds that contain input',
    output_tokens UInt64 COMMENT 'Sum of the usage of kinds that contain output',
    total_tokens UInt64 COMMENT 'Usage of the kind total, else the sum of all',
    provided_cost Map(LowCardinality(String), Decimal(18, 12)) COMMENT 'US dollars by kind, as sent',
    cost Map(LowCardinality(String), Decimal(18, 12)) COMMENT 'US dollars by kind, as sent or computed',
    total_cost Nullable(Decimal(18, 12)) COMMENT 'US dollars; null when not known',
    model_id LowCardinality(String) COMMENT 'Price definition that matched',
    pricing_tier_id LowCardinality(String) COMMENT 'Tier of that definition',
    pricing_tier_name LowCardinality(String) COMMENT 'Its name when the cost was computed',
    price_version LowCardinality(String) COMMENT 'Which rule made the cost, to explain or recompute it',
    prompt_name LowCardinality(String) COMMENT 'Prompt that was used',
    prompt_version Nullable(UInt32) COMMENT 'Its version',
    trace_name LowCardinality(String) COMMENT 'Said about the trace by this span: its name',
    user_id String COMMENT 'Said about the trace by this span: user',
    session_id String COMMENT 'Said about the trace by this span: session',
    trace_tags Array(LowCardinality(String)) COMMENT 'Said about the trace by this span: tags',
    trace_public Nullable(Bool) COMMENT 'Said about the trace by this span: readable by anyone',
    trace_release LowCardinality(String) COMMENT 'Said about the trace by this span: release',
    trace_version LowCardinality(String) COMMENT 'Said about the trace by this span: version',
    trace_metadata Map(String, String) COMMENT 'Said about the trace by this span: metadata',
    input_length UInt32 COMMENT 'Bytes of input, kept in observation_io',
    output_length UInt32 COMMENT 'Bytes of output, kept in observation_io',
    trace_input UInt8 COMMENT 'Input given for the trace: 0 none, 1 the same as own input, 2 in observation_io',
    trace_output UInt8 COMMENT 'Output given for the trace: 0 none, 1 the same as own output, 2 in observation_io',
    api_key_id LowCardinality(String) COMMENT 'Key it arrived with',
    source LowCardinality(String) COMMENT 'Way it arrived: otel, …',
    sdk_name LowCardinality(String) COMMENT 'Sending SDK',
    sdk_version LowCardinality(String) COMMENT 'Its version',
    service_name LowCardinality(String) COMMENT 'service.name of the sender',
    host_name LowCardinality(String) COMMENT 'host.name of the sender',
    INDEX by_trace trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_event_ts event_ts TYPE minmax GRANULARITY 1,
    PROJECTION daily (
        SELECT
            project_id,
            toDate(start_time),
            model,
            count(),
            countIf(level = 'ERROR'),
            sum(input_tokens),
            sum(output_tokens),
            sum(total_tokens),
            sum(total_cost),
            quantilesTDigest(0.5, 0.9, 0.95, 0.99)(latency_ms)
        GROUP BY project_id, toDate(start_time), model
    )
) ENGINE = MergeTree
PARTITION BY if(hour BETWEEN 438288 AND 701280, toYYYYMM(start_time), 0)
ORDER BY (project_id, hour, trace_id, id)
SETTINGS
    index_granularity = 1024,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    merge_selector_base = 12,
    max_bytes_to_merge_at_max_space_in_pool = 150000000,
    enable_block_number_column = 1,
    enable_block_offset_column = 1,
    lightweight_mutation_projection_mode = 'rebuild'
COMMENT 'Observations without their content, one complete row each';

-- What a span said at length. Sorted by trace alone and finely indexed, so that opening a trace reads little.
-- A row counts only while observations has one of the same id and event_ts.
CREATE TABLE IF NOT EXISTS observation_io (
    project_id LowCardinality(String) COMMENT 'Project that owns the row; every read is bound to one',
    trace_id String COMMENT 'Trace, as sent',
    id String COMMENT 'Observation the content belongs to',
    event_ts UInt64 COMMENT 'Version: equal to that of the row in observations',
    hour UInt32 COMMENT 'As in observations; bounds the partitions',
    start_time DateTime64(6, 'UTC') COMMENT 'As in observations; partitions follow it',
    input String COMMENT 'Input, as sent; objects and lists as JSON text' CODEC(ZSTD(1)),
    output String COMMENT 'Output, as sent; objects and lists as JSON text' CODEC(ZSTD(1)),
    attributes String COMMENT 'Attributes, resource and scope as received, JSON text' CODEC(ZSTD(1)),
    trace_input String COMMENT 'Input given for the trace, when it differs from input' CODEC(ZSTD(1)),
    trace_output String COMMENT 'Output given for the trace, when it differs from output' CODEC(ZSTD(1))
) ENGINE = MergeTree
PARTITION BY if(hour BETWEEN 438288 AND 701280, toYYYYMM(start_time), 0)
ORDER BY (project_id, trace_id, id)
SETTINGS
    index_granularity = 256,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    merge_selector_base = 12,
    max_bytes_to_merge_at_max_space_in_pool = 150000000,
    enable_block_number_column = 1,
    enable_block_offset_column = 1
COMMENT 'Content of observations';

-- One complete row a trace, rewritten by every commit that touches it; the newest v counts.
CREATE TABLE IF NOT EXISTS traces (
    project_id LowCardinality(String) COMMENT 'Project that owns the row; every read is bound to one',
    hour UInt32 COMMENT 'Hours since the epoch of the first span seen; sort key, never moves',
    id String COMMENT 'Trace, as sent',
    v UInt64 COMMENT 'Version: microseconds since the epoch of the commit that wrote the row',
    timestamp DateTime64(6, 'UTC') COMMENT 'Start of the root, else of the earliest span',
    name String COMMENT 'Given name, else of the root, else of the entry, else of the earliest span',
    root_type LowCardinality(String) COMMENT 'Observation type of the root; empty while there is none',
    user_id String COMMENT 'User',
    session_id String COMMENT 'Session',
    environment LowCardinality(String) COMMENT 'Environment of the root, else of the earliest span',
    release LowCardinality(String) COMMENT 'Release',
    version LowCardinality(String) COMMENT 'Version',
    tags Array(LowCardinality(String)) COMMENT 'Tags of every span, sorted',
    public Bool COMMENT 'Readable by anyone who knows its address',
    metadata Map(String, String) COMMENT 'Metadata of every span, merged by key',
    input_preview String COMMENT 'Start of the input, one line' CODEC(ZSTD(1)),
    output_preview String COMMENT 'Start of the output, one line' CODEC(ZSTD(1)),
    input_id String COMMENT 'Observation that holds the input of the trace; empty for none',
    output_id String COMMENT 'Observation that holds the output of the trace; empty for none',
    input_given Bool COMMENT 'It stands there in trace_input, not in input',
    output_given Bool COMMENT 'It stands there in trace_output, not in output',
    status_message String COMMENT 'Of the latest error, else of the latest warning, shortened',
    models Array(LowCardinality(String)) COMMENT 'Models, that with the most tokens first',
    observation_count UInt32 COMMENT 'Observations; 0 marks a trace that never came to be',
    debug_count UInt32 COMMENT 'Observations of level DEBUG',
    default_count UInt32 COMMENT 'Observations of level DEFAULT',
    warning_count UInt32 COMMENT 'Observations of level WARNING',
    error_count UInt32 COMMENT 'Observations of level ERROR',
    input_tokens UInt64 COMMENT 'Sum over the observations',
    output_tokens UInt64 COMMENT 'Sum over the observations',
    total_tokens UInt64 COMMENT 'Sum over the observations',
    total_cost Nullable(Decimal(38, 12)) COMMENT 'US dollars; null when no observation has a known cost',
    start_time DateTime64(6, 'UTC') COMMENT 'Start of the earliest span',
    end_time DateTime64(6, 'UTC') COMMENT 'Latest end, or start where no end is known',
    received_at DateTime64(6, 'UTC') COMMENT 'When its newest span arrived',
    has_root Bool COMMENT 'A root or app-root has arrived',
    INDEX by_trace id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_user user_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_session session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_version v TYPE minmax GRANULARITY 1,
    INDEX by_time timestamp TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree(v)
PARTITION BY if(hour BETWEEN 438288 AND 701280, toYYYYMM(toDateTime(hour * 3600, 'UTC')), 0)
ORDER BY (project_id, hour, id)
SETTINGS
    index_granularity = 512,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    merge_selector_base = 12,
    max_bytes_to_merge_at_max_space_in_pool = 150000000
COMMENT 'Summaries of traces';
