"""A host with plugins in distributions, as llm has them: what a run of it imports and prints."""

from __future__ import annotations

from pathlib import Path

__all__ = ["HOST", "PLUGINS", "generate"]

PLUGINS = 30
HEAVY = 5  # one of so many plugins imports as much as this number of others
HOST = """
import sys
{module}

specification = pluggy.HookspecMarker("lazyhost")


class Specifications:
    @specification
    def register_models(self, register): ...

    @specification
    def register_embedding_models(self, register): ...

    @specification
    def register_template_loaders(self, register): ...


manager = pluggy.PluginManager("lazyhost")
manager.add_hookspecs(Specifications)
count = manager.load_setuptools_entrypoints("lazyhost"{arguments})
found = []
manager.hook.register_template_loaders(register=found.append)
print(count, found, sum(name.startswith("lazyplugin_") for name in sys.modules))
"""
PLUGIN = """
import pluggy
from . import {parts}

hookimpl = pluggy.HookimplMarker("lazyhost")


@hookimpl
def {hook}(register):
    register({name!r})
"""
# What modules do as they are imported: functions, classes, a data class, a regular expression.
PART = """
import dataclasses
import re

PATTERN_{number} = re.compile(r"^(?P<name>[a-z_{number}]+)(?:\\[(?P<index>\\d+)\\])?\\s*=\\s*(.*)$")


@dataclasses.dataclass
class Options_{number}:
    name: str
    temperature: float = 0.5
    limit: int = 1_{number}
    stop: "list[str] | None" = None
"""
FUNCTION = '''

class Model_{number}:
    """One of the models."""

    identifier = "model-{number}"
    can_stream = True

    def __init__(self, name, *, key=None, timeout=60.0):
        self.name, self.key, self.timeout = name, key, timeout

    def execute(self, prompt, stream=False, response=None):
        return {{"prompt": prompt, "stream": stream, "model": self.identifier}}


def make_model_{number}(name, **options):
    return Model_{number}(name, **options)
'''


def generate(folder: Path) -> None:
    """Distributions of which one implements what the host's command asks for."""
    for index in range(PLUGINS):
        name = f"lazyplugin_{index}"
        package = folder / name
        package.mkdir(parents=True)
        parts = [f"part_{number}" for number in range(HEAVY if index % HEAVY == 0 else 1)]
        hook = "register_models" if index % 3 else "register_embedding_models"
        if index == PLUGINS // 2 + 1:
            hook = "register_template_loaders"
        code = PLUGIN.format(parts=", ".join(parts), hook=hook, name=name)
        (package / "__init__.py").write_text(code)
        for part in parts:
            number = f"{index}{part[-1]}"
            models = "".join(FUNCTION.format(number=f"{number}{each}") for each in range(40))
            (package / f"{part}.py").write_text(PART.replace("{number}", number) + models)
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        (info / "METADATA").write_text(metadata)
        (info / "entry_points.txt").write_text(f"[lazyhost]\n{name} = {name}\n")
