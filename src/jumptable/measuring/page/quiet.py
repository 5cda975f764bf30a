"""Matplotlib says nothing on the standard error of somebody who asked for a page."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["unheard"]


@contextmanager
def unheard() -> Iterator[None]:
    """Without its warnings: of folders that it cannot write to, settings, fonts; errors remain.

    A page needs none of these: it is drawn with settings of its own, in a font of matplotlib's.
    """
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
