"""From a method's annotations to its C signature."""

from __future__ import annotations

import builtins

from ..errors import SignatureError
from .signatures import MAX_PARAMS, CType, Signature, parse_signature, parse_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["Hints", "annotations_of", "as_method", "text_of"]

# What an annotation stands for in C. Exact classes only: a subclass may convert as it likes.
STANDARD: dict[object, CType] = {
    float: parse_type("double"),
    int: parse_type("int64_t"),
    bool: parse_type("bool"),
    str: parse_type("const char *"),
    bytes: parse_type("const char *"),
}
VOID = parse_signature("void()").result
# "'int'" is a string in a string; deeper than this is a loop.
DEEPEST = 8


def annotations_of(annotated: Any) -> Mapping[str, Any]:
    """The annotations of a function or class, evaluated as far as Python has done that by itself.

    From Python 3.14 on they are evaluated when they are read, and names that only type checkers
    know stay forward references.
    """
    try:
        found: Mapping[str, Any] = annotated.__annotations__
        return found
    except AttributeError:
        return {}
    except Exception:
        pass
    try:
        from annotationlib import Format, get_annotations  # type: ignore[import-not-found]

        forward: Mapping[str, Any] = get_annotations(annotated, format=Format.FORWARDREF)
        return forward
    except Exception:
        return {}


class Hints:
    """Reads the annotations of one interface's methods; each distinct one is read once."""

    __slots__ = ("known", "signatures")

    def __init__(self) -> None:
        self.known: dict[tuple[int, int, str], CType | str] = {}
        self.signatures: dict[tuple[object, ...], Signature] = {}

    def signature(
        self,
        names: tuple[str, ...],
        annotations: Mapping[str, Any],
        module: dict[str, Any],
        owner: type,
    ) -> tuple[Signature | None, str, bool]:
        """The C signature; or None, why there is none, and whether nothing but hints is missing.

        ``module`` and ``owner`` are where the annotations were written, for those that are text.
        """
        if tuple(annotations) != (*names, "return"):
            return self._signature(names, annotations, module, owner)
        key = (id(module), owner, *annotations.values())
        try:
            known = self.signatures.get(key)
        except Exception:  # an annotation that cannot be hashed
            return self._signature(names, annotations, module, owner)
        if known is not None:
            return known, "", False
        found = self._signature(names, annotations, module, owner)
        if found[0] is not None:
            self.signatures[key] = found[0]
        return found

    def _signature(
        self,
        names: tuple[str, ...],
        annotations: Mapping[str, Any],
        module: dict[str, Any],
        owner: type,
    ) -> tuple[Signature | None, str, bool]:
        problems: list[str] = []
        silent = True
        params: list[CType] = []
        for name in names:
            if name not in annotations:
                problems.append(
                    f"parameter {name!r} has no annotation; write its type, such as float or "
                    'Annotated[int, "uint32_t"]'
                )
                continue
            ctype = self.ctype(annotations[name], module, owner)
            if isinstance(ctype, str):
                problems.append(f"parameter {name!r} {ctype}")
                silent = False
            elif ctype is VOID:
                problems.append(f"parameter {name!r} is void in C, which no argument can be")
                silent = False
            else:
                params.append(ctype)
        result: CType | str = VOID
        if "return" not in annotations:
            problems.append(
                "it has no annotation for its result; write '-> None' if it returns nothing"
            )
        else:
            result = self.ctype(annotations["return"], module, owner)
        if isinstance(result, str):
            problems.append(f"its result {result}")
            silent = False
        elif not problems:
            if len(params) <= MAX_PARAMS:
                return Signature(result, tuple(params), False), "", False
            problems.append(f"it has more than {MAX_PARAMS} parameters")
            silent = False
        return None, "; ".join(problems), silent

    def ctype(self, annotation: Any, module: dict[str, Any], owner: type) -> CType | str:
        """The C type of an annotation, or what is wrong with it."""
        if type(annotation) is type:
            standard = STANDARD.get(annotation)
            if standard is not None:
                return standard
        if type(annotation) is str:
            key = (id(module), id(owner), annotation)
            found = self.known.get(key)
            if found is None:
                found = self.known[key] = self._ctype(annotation, module, owner)
            return found
        return self._ctype(annotation, module, owner)

    def _ctype(self, annotation: Any, module: dict[str, Any], owner: type) -> CType | str:
        try:
            annotation = _evaluated(annotation, module, owner)
            if isinstance(annotation, type) and annotation in STANDARD:
                return STANDARD[annotation]
            if annotation is None or annotation is type(None):
                return VOID
            metadata = getattr(annotation, "__metadata__", None)
            if isinstance(metadata, tuple):
                texts = [text for text in metadata if isinstance(text, str)]
                if texts:
                    return _exact(texts)
                return self.ctype(annotation.__origin__, module, owner)
            return f"is annotated {_shown(annotation)}, which stands for no C type; " + _advice(
                annotation
            )
        except Exception as error:  # annotations are code, and may be any code
            return (
                f"has the annotation {_shown(annotation)}, which cannot be evaluated "
                f"({type(error).__name__}: {text_of(error)}); import what it names at run time"
            )


def _exact(texts: list[str]) -> CType | str:
    """The C type that the texts in one Annotated give; other texts may be documentation."""
    found: dict[str, CType] = {}
    complaint = ""
    for text in texts:
        try:
            ctype = VOID if text.strip() == "void" else parse_type(text)
        except SignatureError as error:
            complaint = complaint or str(error)
            continue
        found[ctype.text] = ctype
    if not found:
        return f"has no C type in its Annotated: {complaint}"
    if len(found) > 1:
        return f"has several C types in its Annotated: {' and '.join(map(repr, found))}; give one"
    return next(iter(found.values()))


def _evaluated(annotation: Any, module: dict[str, Any], owner: type) -> Any:
    """The annotation without quotes, aliases and new types around it."""
    for _ in range(DEEPEST):
        if isinstance(annotation, str):
            annotation = _named(annotation, module, owner)
            continue
        kind = type(annotation).__name__
        if kind == "ForwardRef":
            annotation = annotation.__forward_arg__
        elif kind == "TypeAliasType":
            annotation = annotation.__value__
        elif kind == "NewType":
            annotation = annotation.__supertype__
        else:
            break
    return annotation


def _named(text: str, module: dict[str, Any], owner: type) -> Any:
    """What a text means where it was written: in a class body, then its module, then Python."""
    inside = owner.__dict__
    if text.isidentifier() and text not in inside:
        if text in module:
            return module[text]
        if hasattr(builtins, text):
            return getattr(builtins, text)
    code = compile(text.strip(), "<annotation>", "eval", dont_inherit=True)
    # A method named like a type ("def float(self)") does not mean itself in another's annotation.
    local = {
        name: inside[name]
        for name in code.co_names
        if name in inside and not _is_function(inside[name])
    }
    return eval(code, module, local)


def _is_function(value: object) -> bool:
    return callable(value) and not isinstance(value, type) and hasattr(value, "__get__")


def text_of(annotation: object) -> str:
    """``str``, of what may be any object."""
    try:
        return str(annotation)
    except Exception:
        return ""


def _shown(annotation: object) -> str:
    try:
        return _spelled(annotation)
    except Exception:  # annotations may be any objects, and their repr any code
        return f"with an object of {type(annotation).__name__}"


def _spelled(annotation: object) -> str:
    if type(annotation).__name__ == "TypeVar":
        return str(getattr(annotation, "__name__", annotation))
    if isinstance(annotation, type) and repr(annotation)[:1] == "<":
        module = annotation.__module__
        return (
            annotation.__qualname__ if module == "builtins" else f"{module}.{annotation.__name__}"
        )
    return repr(annotation)


def _advice(annotation: object) -> str:
    """What to write instead: the same with a C type, where one is likely."""
    ctype = _likely(annotation)
    example = f'Annotated[{_shown(annotation)}, "{ctype}"]'
    try:
        compile(example, "<annotation>", "eval")
    except (SyntaxError, ValueError):  # not all that is shown can be written
        ctype = ""
    if not ctype:
        return "a C function takes numbers, str, bytes and buffers"
    items = ", with the type of its items" if ctype == "double *" else ""
    return f"write for instance {example}{items}"


def _likely(annotation: Any) -> str:
    """The C type for the kinds of annotation that are seen most; "" for all others."""
    if str(annotation) == "typing.Any":
        return "int32_t"
    origin = getattr(annotation, "__origin__", annotation)
    args = getattr(annotation, "__args__", ())
    if type(annotation).__name__ in ("UnionType", "_UnionGenericAlias", "Union"):
        found = {_likely(arg) for arg in args if arg is not type(None)}
        if found == {"int32_t", "double"}:
            return "double"
        # None is NULL, and no number.
        numeric = not found.isdisjoint(("int32_t", "double"))
        return "" if len(found) > 1 or (numeric and type(None) in args) else found.pop()
    if type(annotation).__name__ == "_LiteralGenericAlias":
        found = {_likely(type(arg)) for arg in args}
        return "" if len(found) > 1 else found.pop()
    if not isinstance(origin, type):
        return ""
    if any(word in origin.__name__ for word in ("Buffer", "memoryview", "bytearray", "array")):
        return "double *"
    if issubclass(origin, (str, bytes)):
        return "const char *"
    if hasattr(origin, "__index__"):
        return "int32_t"
    return "double" if hasattr(origin, "__float__") else ""


def as_method(name: str, annotation: Any, owner: type) -> str:
    """The method to write for an attribute that is annotated as a callable."""
    from sys import modules

    try:
        args = _evaluated(annotation, vars(modules[owner.__module__]), owner).__args__
    except Exception:  # annotations are code, and may be any code
        return f"def {name}(self, ...)"
    given = args[:-1]
    names = ("x",) if len(given) == 1 else [f"x{index}" for index, _ in enumerate(given, 1)]
    params = [f"{one}: {_shown(arg)}" for one, arg in zip(names, given, strict=True)]
    if ... in given:
        params = ["..."]
    result = "None" if args[-1] is type(None) else _shown(args[-1])
    return f"def {name}({', '.join(['self', *params])}) -> {result}"
