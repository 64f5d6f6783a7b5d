-- Lists of scores go by time, newest first; the hour of the sort key is only that of the first arrival.
ALTER TABLE scores
    ADD INDEX IF NOT EXISTS by_time timestamp TYPE minmax GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_observation observation_id TYPE bloom_filter(0.01) GRANULARITY 1;

ALTER TABLE scores MATERIALIZE INDEX by_time;

ALTER TABLE scores MATERIALIZE INDEX by_observation;
