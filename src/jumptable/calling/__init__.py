"""Per call, and compiled: hooks."""
