"""Measurements: how much the program takes and how fast it answers. Not tests: nothing here fails on time."""
