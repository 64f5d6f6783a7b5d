"""Score configs: what scores of a project may be like; every score that names one keeps to it."""
