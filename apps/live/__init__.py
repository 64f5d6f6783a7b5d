"""Tells open browsers what was just stored: ids and one-line summaries, never content."""
