"""A small Python plugin that comes with the package, and does what the native one does."""

__all__ = ["Meter", "New", "magnitude"]


def magnitude(x: float) -> float:
    """The absolute value."""
    return -x if x < 0 else x


class Meter:
    """The same as a method."""

    def magnitude(self, x: float) -> float:
        return -x if x < 0 else x


def New() -> Meter:
    return Meter()
