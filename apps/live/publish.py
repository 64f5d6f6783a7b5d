"""Telling a project's open browsers what was just stored.

A message is `{"type": "traces", "traces": [...]}` with one line a trace: id, name, counts, never content. It
carries no number of its own: each socket numbers what it sends, and where many processes publish there is no
shared count. See `consumers` for how a browser notices that it missed something.
"""
