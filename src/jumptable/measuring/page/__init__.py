"""The bench's page to look at: ``render(report)``, drawn by matplotlib."""

from .rendering import MatplotlibMissingError, drawer, render

__all__ = ["MatplotlibMissingError", "drawer", "render"]
