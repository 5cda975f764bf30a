"""What the boundary costs between a host and one function of a plugin."""

from .crossing import Boundary, Cost, document, measure_boundary

__all__ = ["Boundary", "Cost", "document", "measure_boundary"]
