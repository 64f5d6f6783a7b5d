"""Model definitions, matching a model name to one, and what a usage map costs under it."""
