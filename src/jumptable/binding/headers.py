"""Where the C headers are."""

from __future__ import annotations

import os

__all__ = ["get_include"]


def get_include() -> str:
    """The folder to compile with, ``-I``, so that ``#include <jumptable/host.h>`` is found.

    ``jumptable/plugin.h`` is for writing a plugin in C or C++, ``jumptable/host.h`` for calling a
    Table's slots. ``python -m jumptable include`` prints the same folder.
    """
    return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "include")
