"""What every room may use: errors, ids, time, guarded outgoing HTTP, runs in the background. No tables, no
room's knowledge."""
