-- The trace's own record is a row of observations with an empty id: said of the trace, counted nowhere.
-- Start times may be told anew, so a summary remembers in which hours rows of its trace ever stood.
ALTER TABLE traces
    ADD COLUMN IF NOT EXISTS records UInt32 DEFAULT observation_count COMMENT 'Rows of the trace, its own record with them; 0 marks a trace that never came to be' AFTER has_root,
    ADD COLUMN IF NOT EXISTS first_hour UInt32 DEFAULT intDiv(toUnixTimestamp64Micro(start_time), 3600000000) COMMENT 'No row of the trace, replaced ones too, ever stood in an hour before' AFTER records,
    ADD COLUMN IF NOT EXISTS last_hour UInt32 DEFAULT intDiv(toUnixTimestamp64Micro(end_time), 3600000000) COMMENT 'Nor in one after' AFTER first_hour;

ALTER TABLE traces COMMENT COLUMN IF EXISTS observation_count 'Observations';

ALTER TABLE observations COMMENT COLUMN IF EXISTS hour 'Hours since the epoch of start_time; sort key, never moves in a version of a row';

ALTER TABLE observations DROP PROJECTION IF EXISTS daily;

ALTER TABLE observations ADD PROJECTION IF NOT EXISTS by_day (
    SELECT
        project_id,
        toDate(start_time),
        model,
        countIf(notEmpty(id)),
        countIf(level = 'ERROR'),
        sum(input_tokens),
        sum(output_tokens),
        sum(total_tokens),
        sum(total_cost),
        quantilesTDigest(0.5, 0.9, 0.95, 0.99)(latency_ms)
    GROUP BY project_id, toDate(start_time), model
);

ALTER TABLE observations MATERIALIZE PROJECTION by_day;
