-- Deleting a score marks its rows in place of writing parts anew, as with traces.
ALTER TABLE scores MODIFY SETTING enable_block_number_column = 1, enable_block_offset_column = 1;
