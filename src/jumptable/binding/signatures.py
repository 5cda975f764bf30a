"""C signatures as text: ``double(double, int32_t) nogil``.

The grammar is C's for declarations without names:

    signature = type "(" [ "void" | type { "," type } ] ")" [ "nogil" ]
    type      = number | "void" | "object" | [ "const" ] number "*" | [ "const" ] "void" "*"

where ``const`` and ``*`` stand wherever C allows them and the words of an integer type come in
any order. A variable's type may also be ``jt_counter``, which jumptable/counter.h declares.
`Signature.text` is the one spelling that stands for all of these.
"""

from __future__ import annotations

from ..errors import SignatureError
from .plan import NUMBERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["CType", "Signature", "parse", "parse_signature", "parse_type"]

MAX_PARAMS = 255
COUNTER_SIZE = 128  # also what its address is a multiple of
POINTER_SIZE = NUMBERS["uintptr_t"][1]

# What C programmers also write, or capsules hold, and what it is here.
SPELLINGS = {
    "_Bool": "bool",
    "Py_ssize_t": "ssize_t",
    "ptrdiff_t": "intptr_t",
    "npy_intp": "intptr_t",
    "std::size_t": "size_t",
}
# What changes neither how a value is passed nor what may be done with it here.
QUALIFIERS = frozenset({"const", "volatile", "restrict", "__restrict", "__restrict__"})
# Types whose size or sign depends on the platform, so that a close name would be a wrong one.
UNKNOWN_SIZES = frozenset({"wchar_t", "time_t", "off_t", "clock_t", "char16_t", "char32_t", "FILE"})
LONGEST_SHOWN = 200
INTEGER_WORDS = frozenset({"char", "short", "int", "long", "signed", "unsigned"})


class CType:
    """One type: its spelling, and what a trampoline has to know about it.

    ``kind`` is "void", "bool", "signed", "unsigned", "float", "double", "string"
    (``const char *``), "address" (``void *``), "buffer" (``T *``), "object" or, for a variable
    alone, "counter" (``jt_counter``); a buffer's
    ``item`` is the kind of its items, where "char" stands apart from the signed and unsigned
    integers. Sizes are in bytes.
    """

    __slots__ = ("constant", "item", "item_size", "kind", "size", "text")

    def __init__(
        self,
        text: str,
        kind: str,
        size: int,
        *,
        constant: bool = False,
        item: str = "void",
        item_size: int = 0,
    ) -> None:
        self.text = text
        self.kind = kind
        self.size = size
        self.constant = constant
        self.item = item
        self.item_size = item_size

    @property
    def machine(self) -> tuple[object, ...]:
        """Equal for types that the machine cannot tell apart, such as ``int`` and ``int32_t``.

        Pointers to constant and to writable memory are passed alike, so they are equal as well.
        """
        if self.kind == "string":
            return ("pointer", "char", 1)
        if self.kind in ("address", "buffer"):
            return ("pointer", self.item, self.item_size)
        return (self.kind, self.size)


class Signature:
    """A function's type. ``text`` is canonical: equal signatures have equal texts."""

    __slots__ = ("hidden", "nogil", "params", "result", "text")

    def __init__(
        self, result: CType, params: tuple[CType, ...], nogil: bool, hidden: int = 0
    ) -> None:
        self.result = result
        self.params = params
        self.nogil = nogil
        self.hidden = hidden  # trailing words that are always 0 and that Python does not pass
        listed = ", ".join(param.text for param in params)
        self.text = f"{result.text}({listed}){' nogil' if nogil else ''}"

    @property
    def machine(self) -> tuple[object, ...]:
        """Equal for signatures that the machine cannot tell apart, with ``nogil`` and without."""
        return (self.result.machine, *[param.machine for param in self.params])

    def declaration(self, name: str) -> str:
        """The signature as C declares it, such as ``double scale(double, int32_t)``."""
        result = self.result.text
        listed = self.text[len(result) :]  # from the parenthesis on
        if not self.params:
            listed = f"(void){listed[2:]}"
        return f"{result}{'' if result.endswith('*') else ' '}{name}{listed}"


def parse(text: str) -> Signature | CType:
    """A `Signature`, or the `CType` of a variable where there are no parentheses.

    Raises `SignatureError`, a TypeError, which says what was read, where, and what would do.
    """
    if not isinstance(text, str):
        raise SignatureError(
            f"a signature is a str such as 'double(double, int32_t)', not {type(text).__name__}"
        )
    return _Parser(text).parse()


def parse_signature(text: str) -> Signature:
    """Like `parse`, for functions only."""
    parsed = parse(text)
    if isinstance(parsed, CType):
        raise SignatureError(
            f"{text!r} is the type of a variable; a function's needs parentheses: "
            f"'{parsed.text}()' if it takes no arguments"
        )
    return parsed


def parse_type(text: str) -> CType:
    """Like `parse`, for the types of variables only."""
    parsed = parse(text)
    if isinstance(parsed, Signature):
        raise SignatureError(f"{text!r} is the signature of a function; a type was expected")
    if parsed.kind == "counter":
        raise SignatureError(f"{text!r} is looked up by plugin.lookup(name, {text!r}) alone")
    return parsed


class _Parser:
    """A recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = []
        self.starts: list[int] = []
        self.next = 0
        self._tokenize()

    def _tokenize(self) -> None:
        text, position = self.text, 0
        while position < len(text):
            start = position
            character = text[position]
            if character.isspace():
                position += 1
                continue
            if character == "_" or (character.isascii() and character.isalnum()):
                while position < len(text) and (
                    text[position] in "_:"
                    or (text[position].isascii() and text[position].isalnum())
                ):
                    position += 1
            elif text.startswith("...", position):
                position += 3
            else:
                position += 1
            self.tokens.append(text[start:position])
            self.starts.append(start)

    def fail(self, problem: str, *, at: int | None = None) -> NoReturn:
        at = self.next if at is None else at
        where = ""
        if at < len(self.starts):
            where = f" (at column {self.starts[at] + 1})"
        text = self.text
        if len(text) > LONGEST_SHOWN:
            text = f"{text[:LONGEST_SHOWN]}..."
        raise SignatureError(f"cannot read the signature {text!r}{where}: {problem}")

    def peek(self) -> str:
        return self.tokens[self.next] if self.next < len(self.tokens) else ""

    def take(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self.next += 1
        return True

    def parse(self) -> Signature | CType:
        if not self.tokens:
            self.fail("it is empty; write for instance 'double(double, int32_t)' or 'void()'")
        result = self.type()
        if self.next == len(self.tokens):
            if result.kind == "void":
                self.fail("a variable cannot be void; a function without arguments is 'void()'")
            return result
        if not self.take("("):
            if self.peek() == "nogil":
                self.fail("'nogil' belongs behind the ')' of a function's signature")
            if self.is_name(self.peek()):
                self.fail(
                    f"found {self.peek()!r} where '(' was expected; leave out the function's name, "
                    "as in 'double(double)'"
                )
            self.fail(f"found {self.peek()!r} where '(' was expected")
        self.refuse_counter(result, 0)
        params = self.params()
        nogil = self.take("nogil")
        if self.next < len(self.tokens):
            self.fail(f"found {self.peek()!r} after its end; only 'nogil' may follow")
        if nogil and any(ctype.kind == "object" for ctype in (result, *params)):
            self.fail("'object' needs the GIL, so it cannot be combined with 'nogil'", at=0)
        return Signature(result, params, nogil)

    def params(self) -> tuple[CType, ...]:
        params: list[CType] = []
        if self.take(")"):
            return ()
        while True:
            at = self.next
            if self.peek() == "...":
                self.fail("variadic functions cannot be called; declare one with fixed arguments")
            ctype = self.type()
            if ctype.kind == "void":
                if not params and self.take(")"):
                    return ()
                self.fail("no argument can be void; a pointer is 'void *'", at=at)
            self.refuse_counter(ctype, at)
            params.append(ctype)
            if len(params) > MAX_PARAMS:
                self.fail(f"more than {MAX_PARAMS} arguments", at=at)
            if self.take(")"):
                return tuple(params)
            if not self.take(","):
                found = self.peek()
                if self.is_name(found):
                    self.fail(f"found the name {found!r}; write types only, as in 'double(double)'")
                if found == "[":
                    self.fail(f"an array is passed as a pointer: write '{ctype.text} *'")
                self.fail(
                    f"found {found!r} where ',' or ')' was expected"
                    if found
                    else "its ')' is missing"
                )

    def refuse_counter(self, ctype: CType, at: int) -> None:
        if ctype.kind == "counter":
            self.fail(
                "a jt_counter is a variable, and neither passed nor returned; pass its address as "
                "'void *'",
                at=at,
            )

    @staticmethod
    def is_name(token: str) -> bool:
        return bool(token) and (token[0] == "_" or token[0].isalpha())

    def type(self) -> CType:
        at = self.next
        words: list[str] = []
        constant = False
        while self.is_name(self.peek()) and self.peek() != "nogil":
            word = self.peek()
            if word in QUALIFIERS:
                constant = constant or word == "const"
            elif not words or (word in INTEGER_WORDS and words[0] in INTEGER_WORDS):
                words.append(word)
            elif word == "double" and words == ["long"]:
                self.fail(
                    "'long double' has no Python counterpart; export a function that takes or "
                    "gives a double instead"
                )
            else:
                break
            self.next += 1
        if not words:
            found = self.peek()
            self.fail(
                f"found {found!r} where a type was expected" if found else "a type is missing"
            )
        name = self.number_name(words, at)
        stars = 0
        while self.peek() == "*" or (stars and self.peek() in QUALIFIERS):
            stars += self.peek() == "*"
            self.next += 1
        if stars == 0:
            return self.plain(name, at)
        return self.pointer(name, stars, constant, at)

    def number_name(self, words: list[str], at: int) -> str:
        if words[0] not in INTEGER_WORDS:
            return SPELLINGS.get(words[0], words[0])
        count = {word: words.count(word) for word in words[:5]}  # no type of C has more
        if len(words) > 5:
            self.fail(f"{' '.join(words[:5])!r}... is no type of C", at=at)
        unsigned, signed = count.pop("unsigned", 0), count.pop("signed", 0)
        longs, number = count.pop("long", 0), count.pop("int", 0)
        short, char = count.pop("short", 0), count.pop("char", 0)
        if char:
            valid = char == 1 and not (longs or number or short)
            base = "char"
        else:
            valid = number <= 1 and not (short and longs) and short <= 1 and longs <= 2
            base = "short" if short else ("int", "long", "long long")[min(longs, 2)]
        if not valid or unsigned + signed > 1:
            self.fail(f"{' '.join(words)!r} is no type of C", at=at)
        if unsigned:
            return f"unsigned {base}"
        return "signed char" if signed and char else base

    def plain(self, name: str, at: int) -> CType:
        if name in NUMBERS:
            kind, size = NUMBERS[name]
            return CType(name, kind, size)
        if name == "void":
            return CType("void", "void", 0)
        if name == "object":
            return CType("object", "object", POINTER_SIZE)
        if name == "jt_counter":
            return CType("jt_counter", "counter", COUNTER_SIZE)
        self.unknown(name, at)

    def pointer(self, name: str, stars: int, constant: bool, at: int) -> CType:
        const = "const " if constant else ""
        if name in ("object", "PyObject"):
            if name == "PyObject" and stars == 1:
                return CType("object", "object", POINTER_SIZE)
            self.fail("a pointer to objects is not supported; use 'void *'", at=at)
        if name == "jt_counter":
            self.fail("pass a counter's address as 'void *'", at=at)
        if name != "void" and name not in NUMBERS:
            self.unknown(name, at)
        if stars > 1:
            self.fail("a pointer to pointers is not supported; use 'void *'", at=at)
        text = f"{const}{name} *"
        if name == "void":
            return CType(text, "address", POINTER_SIZE, constant=constant)
        if name == "char" and constant:
            return CType(text, "string", POINTER_SIZE, constant=True, item="char", item_size=1)
        kind, size = NUMBERS[name]
        item = "char" if name == "char" else kind
        return CType(text, "buffer", POINTER_SIZE, constant=constant, item=item, item_size=size)

    def unknown(self, name: str, at: int) -> NoReturn:
        import difflib

        known = [*NUMBERS, "void", "object", "jt_counter"]
        if name in ("struct", "union", "enum"):
            self.fail(f"a {name} cannot be passed; pass its address as 'void *'", at=at)
        if name in UNKNOWN_SIZES:
            self.fail(
                f"{name!r} is not known; use the integer type that it is on your platform, "
                "or 'void *' for a pointer to it",
                at=at,
            )
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        hint = f"did you mean {near[0]!r}?" if near else f"known types: {', '.join(known)}"
        self.fail(f"unknown type {name!r}; {hint}", at=at)
