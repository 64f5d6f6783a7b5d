"""What every room may use: errors, ids, time, guarded outgoing HTTP. No models, no room's knowledge."""
