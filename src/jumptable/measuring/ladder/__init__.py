"""The cost ladder: one small call, ``fabs(1.5)``, made in every way that a host could make it.

A rung is data (`Rung`), and says who times it; what times it is made when it is climbed. Each file
here has the rungs of one concern.
"""

from .climbing import BASELINE, RUNGS, Climbed, climb
from .compiled import CROWD, YARDSTICK, YARDSTICKS
from .mathlibrary import math_library
from .rung import Preparation, Rung, UnavailableError

__all__ = [
    "BASELINE",
    "CROWD",
    "RUNGS",
    "YARDSTICK",
    "YARDSTICKS",
    "Climbed",
    "Preparation",
    "Rung",
    "UnavailableError",
    "climb",
    "math_library",
]
