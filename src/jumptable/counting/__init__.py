"""Counters: padded, striped, and shared by processes."""
