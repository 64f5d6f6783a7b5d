"""Judging by people and programs: comments on what was recorded."""
