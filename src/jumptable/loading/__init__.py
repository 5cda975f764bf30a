"""Open once: targets, file checks, the platform loader."""
