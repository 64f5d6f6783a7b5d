"""Where telemetry arrives: receive, decode, map, price, commit, announce."""
