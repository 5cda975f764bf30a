"""How costs grow, each curve measured here and now: threads, hooks, slots, types, distributions."""

from __future__ import annotations

from .drawn import CURVES, draw
from .maker import Maker, Point

__all__ = ["CURVES", "Maker", "Point", "draw"]
