"""How a callable may be called, and whether one can stand in for another.

Plain functions are read from their code objects: ``inspect.signature`` takes ten times as long,
and a bind does this for every method.
"""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType, MethodType

from .signatures import CType, parse_signature
from .symbol import Symbol

TYPE_CHECKING = False
if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Iterator
    from types import CodeType
    from typing import Any

    from .signatures import Signature

__all__ = [
    "Shape",
    "clashes",
    "is_empty",
    "is_plain",
    "method_signature",
    "misfits",
    "shape_of",
    "shape_of_function",
    "shape_of_signature",
]

# Bits of co_flags, as the inspect module names them.
CO_VARARGS, CO_VARKEYWORDS, CO_GENERATOR = 0x04, 0x08, 0x20
CO_COROUTINE, CO_ASYNC_GENERATOR = 0x80, 0x200
UNUSUAL = CO_VARARGS | CO_VARKEYWORDS | CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR


class Shape:
    """The parameters of a callable, without ``self``.

    ``names`` are the positional ones, of which the first ``required`` must be given and the first
    ``only`` cannot be given by name; ``keywords`` are keyword-only, and ``needed`` are those
    without a default. ``kind`` is "" for a plain function, else "async def", "generator" or,
    of an interface's method whose annotation says so, "awaitable".
    """

    __slots__ = (
        *("defaults", "keywords", "kind", "names", "needed", "only", "required"),
        *("selfless", "varargs", "varkeywords"),
    )

    def __init__(
        self,
        names: tuple[str, ...],
        required: int,
        only: int = 0,
        defaults: tuple[object, ...] = (),
        *,
        keywords: tuple[str, ...] = (),
        needed: tuple[str, ...] = (),
        varargs: bool = False,
        varkeywords: bool = False,
        kind: str = "",
        selfless: bool = False,
    ) -> None:
        self.names = names
        self.required = required
        self.only = only
        self.keywords = keywords
        self.needed = needed
        self.varargs = varargs
        self.varkeywords = varkeywords
        self.kind = kind
        self.selfless = selfless  # a method without even a ``self``: every call of it fails
        self.defaults = defaults  # of the last of ``names``

    def __str__(self) -> str:
        """As a definition writes it, without the values of defaults: ``(x, by=..., *, mode)``."""
        listed = [
            name if index < self.required else f"{name}=..."
            for index, name in enumerate(self.names)
        ]
        if self.only:
            listed.insert(self.only, "/")
        if self.varargs or self.keywords:
            listed.append("*args" if self.varargs else "*")
        listed += [name if name in self.needed else f"{name}=..." for name in self.keywords]
        if self.varkeywords:
            listed.append("**kwargs")
        return f"({', '.join(listed)})"


def shape_of_function(function: FunctionType, bound: int) -> Shape:
    """The shape of a plain function, whose first ``bound`` parameters (0 or 1) are given."""
    code = function.__code__
    count = code.co_argcount
    names = code.co_varnames
    flags = code.co_flags & UNUSUAL
    defaults = function.__defaults__ or ()
    positional = names[bound:count]
    required = count - bound - len(defaults)
    only = code.co_posonlyargcount
    if only:
        only -= bound
    if not (flags or code.co_kwonlyargcount) and required >= 0:
        return Shape(positional, required, only, defaults)
    kind = ""
    if flags & CO_COROUTINE:
        kind = "async def"
    elif flags & (CO_GENERATOR | CO_ASYNC_GENERATOR):
        kind = "generator"
    keywords = names[count : count + code.co_kwonlyargcount]
    given = function.__kwdefaults__ or {}
    return Shape(
        positional,
        max(required, 0),
        max(only, 0),
        defaults,
        keywords=keywords,
        needed=tuple([name for name in keywords if name not in given]),
        varargs=bool(flags & CO_VARARGS),
        varkeywords=bool(flags & CO_VARKEYWORDS),
        kind=kind,
        selfless=count < bound and not flags & CO_VARARGS,
    )


def shape_of_signature(signature: inspect.Signature, bound: int, kind: str = "") -> Shape:
    """The same from what the inspect module found."""
    parameters = list(signature.parameters.values())
    if bound and parameters and parameters[0].kind not in (2, 4):  # no *args or **kwargs
        del parameters[0]
    positional = [parameter for parameter in parameters if parameter.kind < 2]
    keywords = [parameter for parameter in parameters if parameter.kind == 3]
    empty = signature.empty
    defaults = [p.default for p in positional if p.default is not empty]
    return Shape(
        tuple([parameter.name for parameter in positional]),
        len(positional) - len(defaults),
        only=sum(parameter.kind == 0 for parameter in positional),
        keywords=tuple([parameter.name for parameter in keywords]),
        needed=tuple([p.name for p in keywords if p.default is empty]),
        varargs=any(parameter.kind == 2 for parameter in parameters),
        varkeywords=any(parameter.kind == 4 for parameter in parameters),
        kind=kind,
        defaults=tuple(defaults),
    )


def is_plain(function: FunctionType) -> bool:
    """Whether the code object tells the truth: no decorator claims something else."""
    attributes = function.__dict__
    return not attributes or not ("__wrapped__" in attributes or "__signature__" in attributes)


# What the compiler makes of bodies that do nothing, which differs between versions of Python, and
# with -OO, which takes docstrings away.
def _nothing() -> None: ...


def _documented() -> None:
    """The same, with a docstring."""


def _both() -> None:
    """The same, with both."""
    ...  # noqa: PIE790


async def _nothing_later() -> None: ...


async def _documented_later() -> None:
    """The same, with a docstring."""


async def _both_later() -> None:
    """The same, with both."""
    ...  # noqa: PIE790


def _body(code: CodeType) -> tuple[object, ...]:
    """Tells code that does nothing from any other, whatever its docstring."""
    return code.co_code, *map(type, code.co_consts)


EMPTY = [
    _body(function.__code__)
    for function in (
        *(_nothing, _documented, _both),
        *(_nothing_later, _documented_later, _both_later),
    )
]


def is_empty(function: FunctionType) -> bool:
    """Whether a function only declares: its body is ``...``, ``pass``, or a docstring.

    ``return None`` compiles to the same.
    """
    return function.__name__ == "_overload_dummy" or _body(function.__code__) in EMPTY


def shape_of(found: Callable[..., Any]) -> Shape | None:
    """How any callable may be called, or None where nothing says that."""
    if type(found) is MethodType:
        function = found.__func__
        if type(function) is FunctionType and is_plain(function):
            return shape_of_function(function, 1)
    elif type(found) is FunctionType and is_plain(found):
        return shape_of_function(found, 0)
    elif type(found) is BuiltinFunctionType:
        simple = _shape_of_text(found)
        if simple is not None:
            return simple

    import inspect  # takes 10 ms to import, and few callables need it

    try:
        signature = inspect.signature(found)
        waits = any(map(inspect.iscoroutinefunction, (found, type(found).__call__)))
    except Exception:  # builtins without a signature, and whatever a __signature__ raises
        return None
    return shape_of_signature(signature, 0, "async def" if waits else "")


def _shape_of_text(function: BuiltinFunctionType) -> Shape | None:
    """The shape of a builtin that says it takes plain arguments: ``(arg1, arg2, /)``.

    None for all others. What a function of C says so is as a rule no more than that.
    """
    text = getattr(function, "__text_signature__", None)
    if not text or text[:1] != "(" or text[-1:] != ")":
        return None
    names = text[1:-1].split(", ") if len(text) > 2 else []
    if names and names[0][:1] == "$":  # what it is bound to, as a method or by its module
        if function.__self__ is None:
            return None
        del names[0]
    only = 0
    if "/" in names:
        only = names.index("/")
        del names[only]
    if not all(name.isidentifier() for name in names):
        return None
    return Shape(tuple(names), len(names), only=only)


def misfits(wanted: Shape, found: Shape) -> Iterator[str]:
    """What goes wrong when ``found`` is called as ``wanted`` may be called; nothing if it fits.

    That is: with the required positional arguments only, with all of them, and with every
    keyword-only one. Names of positional parameters may differ: a native function takes none by
    name either.
    """
    if found.selfless:
        yield "it has no 'self', so that every call of it fails"
        return
    most = len(wanted.names)
    # What is given by keyword may land in a positional parameter behind all that are given so.
    by_name = () if wanted.varargs else found.names[max(found.only, most) :]
    named = [
        name
        for index, name in enumerate(found.names[: found.required])
        if index >= wanted.required and not (name in wanted.needed and name in by_name)
    ]
    if named:
        yield f"it also requires {_quoted(named)}"
    if len(found.names) < most and not found.varargs:
        count = len(found.names)
        yield f"it takes {count} positional argument{'' if count == 1 else 's'}, not {most}"
    if wanted.varargs and not found.varargs:
        yield "it does not take *args"
    if not found.varkeywords:
        refused = [
            name for name in wanted.keywords if name not in found.keywords and name not in by_name
        ]
        if refused:
            yield f"it does not take the keyword {_quoted(refused)}"
        if wanted.varkeywords:
            yield "it does not take **kwargs"
    else:
        filled = found.names[found.only : None if wanted.varargs else most]
        doubled = [name for name in wanted.keywords if name in filled]
        if doubled:
            yield f"it takes {_quoted(doubled)} by position as well"
    missing = [name for name in found.needed if name not in wanted.needed]
    if missing:
        yield f"it also requires the keyword {_quoted(missing)}"


FLOATING = ("float", "double")
NUMBERS = ("bool", "signed", "unsigned", *FLOATING)


def clashes(wanted: Signature, found: object) -> Iterator[str]:
    """Why a native function that is called by Python can never do for a C signature.

    Nothing for what may work, such as an object, or an int as an address.
    """
    symbol = getattr(found, "__self__", None)
    if type(symbol) is not Symbol or getattr(found, "__name__", None) != symbol.name:
        return
    own = parse_signature(symbol.signature)
    for index, (given, taken) in enumerate(zip(wanted.params, own.params, strict=False), 1):
        if _never(given, taken):
            yield f"its parameter {index} is {taken.text!r}, not {given.text!r}"
    if wanted.result.kind != "void" and _never(own.result, wanted.result):
        yield f"its result is {own.result.text!r}, not {wanted.result.text!r}"


def _never(given: CType, taken: CType) -> bool:
    """Whether no value of one type can be passed on as one of the other."""
    if taken.kind in NUMBERS:
        return given.kind in ("string", "void")
    if taken.kind == "string":
        return given.kind in NUMBERS
    return taken.kind in ("address", "buffer") and given.kind in FLOATING


def _quoted(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def method_signature(cls: type | None, name: str) -> inspect.Signature | None:
    """How instances' method ``name`` may be called: in any way without a class; None if unknown."""
    import inspect

    if cls is None:
        return inspect.signature(lambda *args, **kwargs: None)
    found = inspect.getattr_static(cls, name)
    try:
        signature = inspect.signature(getattr(found, "__func__", found))
    except (TypeError, ValueError):
        return None
    parameters = list(signature.parameters.values())
    if parameters and not isinstance(found, staticmethod):
        bound = parameters[0].kind in (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        )
        parameters = parameters[bound:]
    return signature.replace(parameters=parameters)
