-- Content is read by trace alone, so that a few parts more cost little, and each merge compresses it anew:
-- merging wider at once saves a third of all merge work (measured: docs/performance.md).
ALTER TABLE observation_io MODIFY SETTING merge_selector_base = 40;
