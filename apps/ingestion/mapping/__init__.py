"""Mapping: spans of any convention to observations. `spans.map_spans` is the way in, `registry` the order."""
