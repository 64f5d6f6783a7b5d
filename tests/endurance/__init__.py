"""Promises under stress: kills, hours, crowds, bad networks. `bin/test --endurance` makes all of it long."""
