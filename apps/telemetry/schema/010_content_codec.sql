-- A fifth less disk for 5 to 10 microseconds of CPU a span. Rows already there follow as their parts merge.
ALTER TABLE observation_io
    MODIFY COLUMN input CODEC(ZSTD(2)),
    MODIFY COLUMN output CODEC(ZSTD(2)),
    MODIFY COLUMN attributes CODEC(ZSTD(2)),
    MODIFY COLUMN trace_input CODEC(ZSTD(2)),
    MODIFY COLUMN trace_output CODEC(ZSTD(2));
