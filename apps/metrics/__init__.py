"""Questions about many traces at once: the metrics query language and its endpoints."""
