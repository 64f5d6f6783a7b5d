"""Prompts: versions, labels, composition. Knows nothing of traces."""
