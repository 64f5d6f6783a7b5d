"""Datasets, their items and versions, runs, and the experiments that spans tell of."""
