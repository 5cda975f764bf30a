"""What not to optimise: what looks like an opportunity, tried out here and now."""

from __future__ import annotations

from .tried import EXPERIMENTS, run
from .trying import Maker, Trying

__all__ = ["EXPERIMENTS", "Maker", "Trying", "run"]
