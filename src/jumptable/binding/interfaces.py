"""Interfaces: what a class, or a mapping of names to signatures, asks of a plugin.

`interface_of` reads it once, into Members that never change. `fit_object` and `fit_callables`
check Python objects against them; native plugins are checked where symbols are resolved, against
`Member.signature`. Every check goes through to its end, so that one InterfaceError names all that
is wrong. Nothing here is kept between calls, so there is nothing for threads to share.
"""

from __future__ import annotations

from types import FunctionType, GenericAlias, UnionType

from ..errors import InterfaceError, SignatureError
from .hints import Hints, annotations_of, as_method, text_of
from .shapes import (
    Shape,
    clashes,
    is_empty,
    is_plain,
    misfits,
    shape_of,
    shape_of_function,
    shape_of_signature,
)
from .signatures import Signature, parse_signature
from .suggest import suggestion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

__all__ = [
    "Interface",
    "Member",
    "fit_callables",
    "fit_object",
    "interface_of",
    "not_fitting",
]

# Close names are looked for in all that a plugin has; past so many, the list is what helps.
SUGGESTIONS = 20
MISSING = object()


class Member:
    """One method of an interface, or one attribute. Never changes.

    ``shape`` says how the host may call it, and is None where any callable will do.
    ``signature`` is the C signature that its annotations give, or None, and then ``reason`` says
    why there is none. ``silent`` is true where hints are only missing: then a plugin that
    describes itself may say what the signature is. ``defaults`` are those of the last parameters.
    """

    __slots__ = ("defaults", "is_attribute", "name", "reason", "shape", "signature", "silent")

    def __init__(
        self,
        name: str,
        shape: Shape | None = None,
        signature: Signature | None = None,
        *,
        reason: str = "",
        silent: bool = False,
        defaults: tuple[object, ...] = (),
        is_attribute: bool = False,
    ) -> None:
        self.name = name
        self.shape = shape
        self.signature = signature
        self.reason = reason
        self.silent = silent
        self.defaults = defaults
        self.is_attribute = is_attribute

    @property
    def expected(self) -> str:
        """For messages: the definition that would fit."""
        if self.is_attribute:
            return f"an attribute {self.name}"
        return f"{self.name}{self.shape or '(...)'}"

    def __repr__(self) -> str:
        return f"<Member {self.expected!r}>"


class Interface:
    """What is asked of a plugin. ``type`` is the class it came from; None for a mapping."""

    __slots__ = ("members", "name", "type")

    def __init__(self, name: str, type: type | None, members: tuple[Member, ...]) -> None:
        self.name = name
        self.type = type
        self.members = members

    @property
    def methods(self) -> tuple[Member, ...]:
        """The members that are called: all but attributes."""
        return tuple([member for member in self.members if not member.is_attribute])

    def __repr__(self) -> str:
        return f"<Interface {self.name}: {', '.join(member.name for member in self.members)}>"


def not_fitting(interface: Interface, described: str, problems: Sequence[str]) -> InterfaceError:
    """The error for a plugin, ``described`` in the message, that has these problems."""
    listed = "".join([f"\n  {problem}" for problem in problems])
    return InterfaceError(
        f"{described} does not fit the interface {interface.name}:{listed}", problems
    )


# ---- reading an interface -----------------------------------------------------------------


def interface_of(spec: type | Mapping[str, str | None]) -> Interface:
    """What a class (a Protocol, an ABC or any other), or a mapping to signatures, asks for.

    TypeError for anything else; InterfaceError for an interface that nothing could fit, with all
    that is wrong in it.
    """
    if not issubclass(type(spec), type):
        generic = getattr(spec, "__origin__", None)  # Source[int] asks for what Source does
        if isinstance(generic, type) and hasattr(spec, "__args__"):
            return _from_class(generic)
        from collections.abc import Mapping

        if isinstance(spec, Mapping):
            return _from_mapping(spec)
        raise TypeError(
            f"an interface is a class, or a mapping of names to C signatures, not {spec!r:.200}"
        )
    assert isinstance(spec, type)
    return _from_class(spec)


def _from_mapping(spec: Mapping[str, str | None]) -> Interface:
    from keyword import iskeyword

    entries = list(spec.items())
    shown = ", ".join([f"{name!s:.40}" for name, _ in entries[:3]]) + (
        ", ..." if entries[3:] else ""
    )
    title = f"{{{shown}}}"
    members: list[Member] = []
    problems: list[str] = []
    read: dict[str, tuple[Shape, Signature]] = {}  # large tables have few distinct signatures
    for key, text in entries:
        if not isinstance(key, str):
            problems.append(f"{key!r:.80}: a method's name is a str, not {type(key).__name__}")
            continue
        name = str.__str__(key)  # without what a subclass makes of it
        if not name.isidentifier() or iskeyword(name):
            problems.append(f"{name!r:.80}: a method's name is one that can be written after a dot")
        elif name.startswith("_"):
            problems.append(f"{name}: a method's name does not start with an underscore")
        elif text is None:
            reason = "the interface gives no signature for it; write one, such as 'double(double)'"
            members.append(Member(name, reason=reason, silent=True))
        else:
            try:
                known = read.get(text) if type(text) is str else None
                if known is None:
                    known = _from_text(text)
                    read[str(text)] = known
            except SignatureError as error:
                problems.append(f"{name}: {error}")
                continue
            members.append(Member(name, *known))
    if not entries:
        problems.append("it is empty: an interface has one method at least")
    if problems:
        raise _unusable(title, problems)
    return Interface(title, None, tuple(members))


def _from_text(text: str) -> tuple[Shape, Signature]:
    signature = parse_signature(text)
    names = tuple([f"arg{index + 1}" for index in range(len(signature.params))])
    return Shape(names, len(names), only=len(names)), signature


def _unusable(name: str, problems: Sequence[str]) -> InterfaceError:
    listed = "".join([f"\n  {problem}" for problem in problems])
    return InterfaceError(f"{name} cannot be used as an interface:{listed}", problems)


def _from_class(cls: type) -> Interface:
    found: dict[str, Member | None] = {}
    hints = Hints()
    for base in reversed(public_bases(cls)):
        for key, value in list(vars(base).items()):
            name = _public(key)
            if name:
                # An override keeps the place of what it overrides.
                found[name] = _member(name, value, base, hints)
        if vars(base).get("_is_protocol"):
            for key, annotation in annotations_of(base).items():
                name = _public(key)
                alias = text_of(annotation).strip("'\"").endswith("TypeAlias")
                if name and not alias and found.get(name) is None:
                    found[name] = _attribute(name, "an annotated attribute")
    members = tuple([member for member in found.values() if member is not None])
    if all(member.is_attribute for member in members):
        lacking = (
            "it has no public method (a function whose name does not start with an underscore)"
        )
        methods = [
            as_method(name, annotation, base)
            for base in public_bases(cls)
            for name, annotation in annotations_of(base).items()
            if "Callable" in text_of(annotation) and _public(name)
        ]
        if methods:
            lacking += f"; what can be called is a method: write {' and '.join(methods)}"
        raise _unusable(cls.__name__, [lacking])
    return Interface(cls.__name__, cls, members)


def _public(key: object) -> str:
    """A name as an attribute is written, or "" for what is not public or cannot be written so."""
    if not isinstance(key, str):
        return ""
    name = str.__str__(key)  # without what a subclass makes of it
    return name if name.isidentifier() and not name.startswith("_") else ""


def public_bases(cls: type) -> list[type]:
    """The class and its bases, in the order of look-up, without those that any class has."""
    return [
        base
        for base in cls.__mro__
        if base is not object
        and not (
            base.__module__ in ("typing", "typing_extensions", "abc")
            and base.__name__ in ("Protocol", "Generic", "ABC")
        )
    ]


def _attribute(name: str, what: str) -> Member:
    reason = (
        f"it is {what}, and a native plugin has functions only; make it a method, or leave it out "
        "of the interface"
    )
    return Member(name, reason=reason, is_attribute=True)


def _member(name: str, value: Any, owner: type, hints: Hints) -> Member | None:
    """What an entry of a class body asks for; None where it asks for nothing."""
    kind = type(value)
    bound = 1
    if kind is FunctionType:
        pass
    elif kind is staticmethod or kind is classmethod:
        bound = int(kind is classmethod)
        value = value.__func__
    if type(value) is FunctionType and is_plain(value):
        if value.__name__ == "_overload_dummy":
            reason = "all of its definitions are overloads; write one def, without @overload"
            return Member(name, reason=reason)
        shape = shape_of_function(value, bound)
        return _method(name, shape, value, owner, hints)
    if isinstance(value, property) or kind.__name__ == "cached_property":
        return _attribute(name, "a property")
    if isinstance(value, type) or value is None or _is_type_hint(value):
        return None
    if callable(value) or kind.__name__ in ("partialmethod", "singledispatchmethod"):
        return _unusual(name, value, owner, bound, hints)
    if hasattr(value, "__get__"):
        return _attribute(name, "an attribute")
    return _attribute(name, "an attribute") if vars(owner).get("_is_protocol") else None


def _is_type_hint(value: object) -> bool:
    """Whether this is a type that is no class, such as ``list[int]``; most of them are callable."""
    kind = type(value)
    return kind.__module__ in ("typing", "typing_extensions") or issubclass(
        kind, (GenericAlias, UnionType)
    )


def _unusual(name: str, value: Any, owner: type, bound: int, hints: Hints) -> Member:
    """A method that is no plain function: decorated, partial, or any object with a call."""
    import inspect

    if bound and not hasattr(value, "__get__"):
        bound = 0
    try:
        function = value if callable(value) else value.__get__(None, owner)
        shape = shape_of_signature(inspect.signature(function), bound)
        innermost = inspect.unwrap(getattr(value, "func", function))
    except Exception:
        reason = "nothing says what its parameters are; write it as a def, with annotations"
        return Member(name, reason=reason, silent=True)
    return _method(name, shape, innermost, owner, hints)


def _method(name: str, shape: Shape, function: Any, owner: type, hints: Hints) -> Member:
    reason = ""
    if shape.kind == "async def":
        reason = (
            "it is an async def, and a C function returns its result: that cannot be awaited; "
            "make it a plain def"
        )
    elif shape.kind:
        reason = (
            "it is a generator, and a C function returns one result; make it a plain def that "
            "does, such as one item for each call"
        )
    elif shape.selfless:
        reason = "it has no parameter 'self'; add one, or make it a @staticmethod"
    elif shape.varargs or shape.varkeywords:
        reason = (
            f"it takes {'*args' if shape.varargs else '**kwargs'}; give the function a fixed "
            "number of parameters"
        )
    elif shape.keywords:
        reason = (
            f"its parameter {shape.keywords[0]!r} is keyword-only, and C has positional ones only; "
            "make it positional"
        )
    if reason:
        return Member(name, shape, reason=reason, defaults=shape.defaults)
    annotations = annotations_of(function)
    signature, reason, silent = hints.signature(
        shape.names, annotations, getattr(function, "__globals__", {}), owner
    )
    if signature is None and _may_be_awaited(annotations.get("return", "")):
        shape.kind = "awaitable"
    return Member(name, shape, signature, reason=reason, silent=silent, defaults=shape.defaults)


def _may_be_awaited(result: object) -> bool:
    """Whether an 'async def' can give such a result: ``def fetch(self) -> Awaitable[str]``."""
    text = result if isinstance(result, str) else repr(result)
    return any(word in text for word in ("Awaitable", "Coroutine", "Future", "Task", "Any"))


# ---- checking objects against one ---------------------------------------------------------


def fit_object(
    interface: Interface, members: Sequence[Member], subject: object, described: str
) -> list[Any]:
    """What ``subject`` has for these members, in their order; None for those that are attributes.

    InterfaceError with everything that is wrong, also with the type of ``subject`` itself.
    """
    targets: list[Any] = []
    problems: list[str] = []
    cls = type(subject)
    classes: tuple[type, ...] = (subject if issubclass(cls, type) else cls).__mro__  # type: ignore[attr-defined]
    protocols = [cls for cls in classes if vars(cls).get("_is_protocol")]
    for member in members:
        name = member.name
        if member.is_attribute:
            if not _exists(subject, name):
                problems.append(_missing(member, lambda: dir(subject), len(problems)))
            targets.append(None)
            continue
        try:
            target = getattr(subject, name)
        except AttributeError as error:
            if _exists(subject, name):
                problems.append(_unreadable(member, error))
            else:
                problems.append(_missing(member, lambda: dir(subject), len(problems)))
            continue
        except (Exception, SystemExit) as error:
            problems.append(_unreadable(member, error))
            continue
        targets.append(target)
        owner = _declared_only(target, name, protocols) if protocols else None
        if owner is not None:
            problems.append(
                f"{name}: expected {member.expected}, found only that of the Protocol "
                f"{owner.__name__}, which is empty; define it in the class"
            )
            continue
        problems.extend(_misfits(member, target))
    if interface.type is not None:
        from .twins import twin_problems

        problems.extend(twin_problems(interface.type, subject))
    if problems:
        raise not_fitting(interface, described, problems)
    return targets


def fit_callables(
    interface: Interface,
    members: Sequence[Member],
    mapping: Mapping[str, Callable[..., Any]],
    described: str,
) -> list[Any]:
    """The callables that a mapping has for these members, in their order.

    A name that is none of the interface's is a problem as well: it is most likely misspelled.
    """
    given = dict(mapping)
    targets: list[Any] = []
    problems: list[str] = []
    for member in members:
        target = given.get(member.name, MISSING)
        if target is MISSING:
            problems.append(_missing(member, lambda: mapping, len(problems)))
        else:
            targets.append(target)
            problems.extend(_misfits(member, target))
    known = {member.name for member in interface.members}
    for name in given:
        if name in known:
            continue
        hint = ""
        if isinstance(name, str) and len(problems) < SUGGESTIONS:
            hint = suggestion(name, known)
        problems.append(f"{name}: found, but {interface.name} has no such method{hint}")
    if problems:
        raise not_fitting(interface, described, problems)
    return targets


def _declared_only(target: object, name: str, protocols: Sequence[type]) -> type | None:
    """The Protocol whose own function this is, where that has no body: nobody implemented it."""
    function = getattr(target, "__func__", target)
    if type(function) is FunctionType and is_empty(function):
        for protocol in protocols:
            declared = vars(protocol).get(name)
            if function is getattr(declared, "__func__", declared):
                return protocol
    return None


def _exists(subject: object, name: str) -> bool:
    """Whether there is such an attribute, without running a property if that can be helped."""
    for cls in type(subject).__mro__:
        if name in vars(cls):
            return True
    try:
        if name in vars(subject):
            return True
    except TypeError:  # it has __slots__ only
        pass
    try:
        getattr(subject, name)
    except Exception:
        return False
    return True


def _missing(member: Member, names: Callable[[], Iterable[str]], already: int) -> str:
    hint = ""
    if already < SUGGESTIONS:
        try:
            hint = suggestion(member.name, [name for name in names() if isinstance(name, str)])
        except Exception:  # a broken __dir__ must not hide the error that is being reported
            pass
    return f"{member.name}: expected {member.expected}, found nothing of that name{hint}"


def _unreadable(member: Member, error: BaseException) -> str:
    try:
        text = f": {error}" if str(error) else ""
    except Exception:
        text = ""
    return (
        f"{member.name}: expected {member.expected}, but reading it raised "
        f"{type(error).__name__}{text}"
    )


def _misfits(member: Member, target: object) -> Iterator[str]:
    """What is wrong with one callable; nothing if it fits."""
    name = member.name
    if not callable(target):
        kind = "None" if target is None else f"an object of type {type(target).__name__}"
        yield f"{name}: expected {member.expected}, found {kind}, which cannot be called"
        return
    wanted = member.shape
    if wanted is None:
        return
    found = shape_of(target)
    if found is None:
        return
    wrong = list(misfits(wanted, found))
    if member.signature is not None and not wrong:
        wrong.extend(clashes(member.signature, target))
    if found.kind == "async def" and wanted.kind not in ("async def", "awaitable"):
        wrong.append("it is 'async def', so that a call gives a coroutine; the interface's is not")
    if wrong:
        yield f"{name}: expected {member.expected}, found {name}{found}: {' and '.join(wrong)}"
