"""A small Python plugin that comes with the package, and does what the native one does."""

__all__ = ["magnitude"]


def magnitude(x: float) -> float:
    """The absolute value."""
    return -x if x < 0 else x
