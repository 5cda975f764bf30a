"""A helper of a host, in a file of its own."""

from __future__ import annotations

from typing import Any

import jumptable as jt


def find(plugin: jt.Plugin, name: str) -> Any:
    return plugin.lookup(name)  # found here


def find_by(finder: Any, plugin: jt.Plugin) -> Any:
    return finder(plugin, "loads")
