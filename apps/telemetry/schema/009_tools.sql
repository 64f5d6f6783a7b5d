-- Which tools a span could call and called, by name alone: their definitions and arguments stand in input
-- and output. Most spans have none, and an empty list takes next to nothing.
ALTER TABLE observations
    ADD COLUMN IF NOT EXISTS tool_names Array(LowCardinality(String)) COMMENT 'Tools that the input offers, each once' AFTER output_length,
    ADD COLUMN IF NOT EXISTS called_tool_names Array(LowCardinality(String)) COMMENT 'Tool of each call in the output' AFTER tool_names;
