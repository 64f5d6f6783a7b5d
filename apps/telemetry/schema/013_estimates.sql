-- Usage that we counted because the sender gave none: marked, so that nobody takes it for what was measured.
ALTER TABLE observations
    ADD COLUMN IF NOT EXISTS is_estimated Bool COMMENT 'Usage was counted here from the content; the sender gave none' AFTER total_tokens;

ALTER TABLE traces
    ADD COLUMN IF NOT EXISTS estimated_count UInt32 COMMENT 'Observations whose usage is estimated' AFTER error_count;
