"""What the boundary costs between a host and one function of a plugin."""

from .crossing import Boundary, measure_boundary

__all__ = ["Boundary", "measure_boundary"]
