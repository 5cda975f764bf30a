"""What is in a host's own hot path: `bench` times it, and finds what should not be there."""

from .paths import Found, HotPath, bench

__all__ = ["Found", "HotPath", "bench"]
