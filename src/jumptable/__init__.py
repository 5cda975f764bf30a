"""jumptable."""
