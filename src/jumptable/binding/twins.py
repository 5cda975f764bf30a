"""Classes that exist twice, so that isinstance fails for no visible reason.

A file imported under two module names, a module reloaded, a vendored copy: each makes a second
class object, and what inherits from one is no instance of the other.
"""

from __future__ import annotations

import os
import sys

from .interfaces import public_bases

__all__ = ["twin_problems"]

MISSING = object()


def twin_problems(wanted: type, subject: object) -> list[str]:
    """A line for each base of ``wanted`` of which ``subject`` has a twin instead.

    Where isinstance holds, or cannot be asked (a Protocol that is not runtime-checkable), nothing
    fails and there is nothing to say.
    """
    own = type(subject).__mro__
    bases = public_bases(wanted)
    if wanted in own:
        return []
    names = {base.__qualname__ for base in bases}
    candidates = [cls for cls in own if cls.__qualname__ in names]
    if not candidates or not _refused(subject, wanted):
        return []
    problems = []
    for base in bases:
        if base in own:
            continue
        for candidate in candidates:
            if candidate.__qualname__ == base.__qualname__:
                how = _likeness(base, candidate, candidate is own[0])
                if how and _refused(subject, base):
                    problems.append(_problem(base, candidate, subject, how))
                break
    return problems


def _refused(subject: object, cls: type) -> bool:
    try:
        return not isinstance(subject, cls)
    except Exception:  # a Protocol that is not runtime-checkable, or an __instancecheck__'s own
        return False


def _likeness(wanted: type, found: type, is_concrete: bool) -> str:
    """What shows that two classes of one name are one class made twice; "" where nothing does."""
    file = _file_of(wanted)
    same_file = file is not None and file == _file_of(found)
    if wanted.__module__ == found.__module__:
        if "<locals>" in wanted.__qualname__:
            return "remade" if _is_copy(wanted, found) else ""
        # Not what type() was given one name for, twice: one of them is what the module shows.
        return "reloaded" if _in_module(wanted) in (wanted, found, None) else ""
    if same_file:
        return "renamed"
    return "copied" if not is_concrete and _is_copy(wanted, found) else ""


def _in_module(cls: type) -> object:
    """What the module of a class has under the name of the class; None without the module."""
    found: object = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        if found is not None:
            found = getattr(found, name, MISSING)
    return found


def _public(cls: type) -> set[str]:
    return {name for name in vars(cls) if not name.startswith("_")}


def _is_copy(one: type, other: type) -> bool:
    """Whether two classes have the same methods, either abstract in both or of the same code.

    A plugin's own class may well have the name and the methods of what it implements.
    """
    if _public(one) != _public(other):
        return False
    for name in _public(one):
        first, second = vars(one)[name], vars(other)[name]
        abstract = getattr(first, "__isabstractmethod__", False)
        if abstract and getattr(second, "__isabstractmethod__", False):
            continue
        codes = [getattr(value, "__code__", None) for value in (first, second)]
        if codes[0] is None or codes[1] is None:
            if type(first) is not type(second):
                return False
        elif codes[0].co_code != codes[1].co_code or codes[0].co_names != codes[1].co_names:
            return False
    return True


def _file_of(cls: type) -> str | None:
    """The real path of the file that defines a class, as far as its module still says so."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if not isinstance(file, str):
        # The module may be gone, or run under a name of its own; code remembers its file.
        for value in list(vars(cls).values()):
            code = getattr(value, "__code__", None)
            if code is not None:
                file = code.co_filename
                break
    if not isinstance(file, str) or file.startswith("<"):
        return None
    return os.path.realpath(file)


def _problem(wanted: type, found: type, subject: object, how: str) -> str:
    name = wanted.__qualname__
    kind = type(subject).__qualname__
    relation = "is made from" if type(subject) is found else f"is a {kind}, which inherits from"
    here = f"{wanted.__module__}.{name} ({_file_of(wanted) or 'no file'})"
    there = f"{found.__module__}.{name} ({_file_of(found) or 'no file'})"
    if how == "remade":
        cause = "the function that defines it ran twice; define the interface in a module"
    elif how == "reloaded":
        cause = (
            "the module was run twice, by a reload or after it was removed from sys.modules; "
            "import the plugin again as well, or do not reload the module of an interface"
        )
    elif how == "renamed":
        cause = (
            "one file was imported under two module names; import it as "
            f"{max(wanted.__module__, found.__module__, key=_rank)!r} everywhere"
        )
    else:
        cause = (
            f"one is a copy of the other; delete the copy, and let the plugin import "
            f"{wanted.__module__!r}"
        )
    return (
        f"isinstance: expected an instance of {here}, but the object {relation} another class of "
        f"that name, {there}: {cause}"
    )


def _rank(module: str) -> tuple[bool, int, int]:
    """The name to keep: not __main__, and the one within a package."""
    return module not in ("__main__", "__mp_main__"), module.count("."), -len(module)
