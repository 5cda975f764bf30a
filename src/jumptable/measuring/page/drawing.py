"""Paper for figures: what matplotlib draws becomes SVG that is part of a page.

Colours are names that the page gives a value to, so one drawing serves light and dark. Text stays
text, in the page's own font. Nothing in it depends on when or where it was drawn.

This is the one module that imports matplotlib, and it imports nothing else that is optional.
"""

from __future__ import annotations

import io
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from .quiet import unheard

__all__ = ["COLOURS", "Paper", "as_it_comes", "text_width", "wrapped"]

SVG = "http://www.w3.org/2000/svg"
HREF = "{http://www.w3.org/1999/xlink}href"
DOTS = 72  # what SVG files of matplotlib count in: one is a pixel of the page

# What is drawn with, and what it is called in the page's style sheet.
COLOURS = {
    name: f"#0102{number:02x}"
    for number, name in enumerate(
        ("ink", "soft", "line", "mark", "band", "guide", "ground", "series-1", "series-2",
         "series-3", "series-4", "series-5"),
        start=3,
    )
}  # fmt: skip
VARIABLES = {value: f"var(--{name})" for name, value in COLOURS.items()}

SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "jumptable",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, and is wider than most
    "path.simplify": False,
    "axes.unicode_minus": False,
}


class Paper:
    """A figure of ``width`` by ``height`` pixels; `svg` is what was drawn."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / DOTS, height / DOTS), dpi=DOTS)
        self.figure.patch.set_visible(False)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes without frame, ticks or margins, placed in pixels from the top left."""
        bottom = self.height - top - height
        box = (left / self.width, bottom / self.height, width / self.width, height / self.height)
        axes = self.figure.add_axes(box)
        axes.set_axis_off()
        return axes

    def svg(self, prefix: str, title: str, description: str, *classes: str) -> str:
        """One ``<svg>`` element. ``prefix`` is what its ids begin with, unlike any other's."""
        target = io.StringIO()
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        with warnings.catch_warnings():
            # A letter that this font lacks is drawn by the reader's.
            warnings.filterwarnings("ignore", message="Glyph")
            self.figure.savefig(target, format="svg", metadata=metadata)
        root = ElementTree.fromstring(target.getvalue())
        _clean(root, prefix)
        for name in list(root.attrib):
            if name != "viewBox":
                del root.attrib[name]
        root.set("class", " ".join(("figure", *classes)))
        root.set("role", "img")
        root.set("aria-labelledby", f"{prefix}-title {prefix}-desc")
        for place, (tag, text) in enumerate((("title", title), ("desc", description))):
            element = ElementTree.Element(tag, {"id": f"{prefix}-{tag}"})
            element.text = text
            root.insert(place, element)
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        root.set("xmlns", SVG)
        return ElementTree.tostring(root, "unicode")


# Settings, warnings and the level of a logger are the process's: who restores them must be alone.
_drawing = threading.RLock()


@contextmanager
def as_it_comes() -> Iterator[None]:
    """Matplotlib with our settings, and none of the user's; all that draws is called in here."""
    with _drawing, unheard(), matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


def _clean(root: ElementTree.Element, prefix: str) -> None:
    """Leave what is drawn: no ids but those that are referred to, no fonts, no style sheet."""
    for parent in root.iter():
        for child in list(parent):
            local = child.tag.rpartition("}")[2]
            if local in ("style", "metadata") or (local == "defs" and _only_style(child)):
                parent.remove(child)
    references: dict[str, str] = {}
    for element in root.iter():
        _refer(element, prefix, references)
    for element in root.iter():
        _restyle(element)
        if "id" in element.attrib:
            new = references.get(element.attrib.pop("id"))
            if new is not None:
                element.set("id", new)


def _only_style(element: ElementTree.Element) -> bool:
    return all(child.tag == f"{{{SVG}}}style" for child in element)


def _refer(element: ElementTree.Element, prefix: str, references: dict[str, str]) -> None:
    def renamed(old: str) -> str:
        return references.setdefault(old, f"{prefix}-{len(references)}")

    if HREF in element.attrib:
        element.set("href", "#" + renamed(element.attrib.pop(HREF).removeprefix("#")))
    clip = element.get("clip-path")
    if clip is not None:
        element.set("clip-path", f"url(#{renamed(clip.removeprefix('url(#').removesuffix(')'))})")


def _restyle(element: ElementTree.Element) -> None:
    style = element.get("style")
    if style is not None:
        style = re.sub(r"font-family: [^;]*(; )?", "", style)
        element.set("style", re.sub("#[0-9a-f]{6}", _variable, style))
    if element.get("transform", "").startswith("rotate(-0"):
        del element.attrib["transform"]
    if "d" in element.attrib:
        element.set("d", " ".join(element.attrib["d"].split()))


def _variable(found: re.Match[str]) -> str:
    """What matplotlib draws unasked is seen in the dark too."""
    return VARIABLES.get(found[0], "currentColor")


@lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """In pixels, in a font that is wider than what a page is usually shown in."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        measured = TextToPath().get_text_width_height_descent(
            text, FontProperties(family="DejaVu Sans", size=size), ismath=False
        )
    return float(measured[0])


def wrapped(text: str, size: float, width: float, most: int = 3) -> list[str]:
    """Lines no wider than ``width``, at most ``most``; an ellipsis says that there is more."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if text_width(longer, size) <= width:
            lines[-1] = longer
            continue
        pieces = _pieces(word, size, width, most + 1)
        lines = [*(line for line in lines if line), *pieces]
        if len(lines) > most:
            break
    if len(lines) > most:
        last = lines[most - 1]
        while last and text_width(f"{last}…", size) > width:
            last = last[:-1]
        lines[most - 1 :] = [f"{last.rstrip()}…"]
    return lines


def _pieces(word: str, size: float, width: float, most: int) -> list[str]:
    """A word that no line is wide enough for, cut; no more of it than is shown."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and text_width(pieces[-1] + letter, size) > width:
            if len(pieces) == most:
                break
            pieces.append("")
        pieces[-1] += letter
    return pieces
