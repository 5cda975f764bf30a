"""``python -m jumptable doctor``: what opening plugins costs, and what they do meanwhile."""
