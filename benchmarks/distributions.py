"""Folders of generated distributions, as wheels install them, and as varied as real ones."""

from __future__ import annotations

from pathlib import Path

__all__ = ["GROUP", "generate"]

GROUP = "app.plugins"  # what one distribution in ten declares a plugin for


def generate(folder: Path, count: int) -> None:
    """``count`` distributions, three in seven of them with four entry points or so.

    That is what a virtual environment with the tools to develop this package has: 29 of 68
    distributions declare 108 entry points, in 20 groups. Entry points are all that is generated
    in full: nothing else is read.
    """
    for number in range(count):
        info = folder / f"generated_{number}-1.{number % 10}.dist-info"
        info.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: generated-{number}\nVersion: 1.{number % 10}\n"
        (info / "METADATA").write_text(metadata, "utf-8")
        module = f"generated_{number}"
        sections = []
        if number % 7 in (0, 2, 5):
            sections += ["[console_scripts]", f"{module} = {module}.cli:main"]
            sections += [f"{module}-serve = {module}.server:main", ""]
            sections += [f"[{module}.formats]", f"text = {module}.text:Format"]
            sections += [f"binary = {module}.binary:Format", ""]
        if number % 10 == 0:
            sections += [f"[{GROUP}]", f"plugin_{number} = {module}.plugin:Plugin"]
        if sections:
            (info / "entry_points.txt").write_text("\n".join(sections) + "\n", "utf-8")
