"""The grammar: spellings, canonical text, and what each mistake is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jumptable as jt
from jumptable.binding.plan import NUMBERS
from jumptable.binding.signatures import (
    MAX_PARAMS,
    CType,
    Signature,
    parse,
    parse_signature,
    parse_type,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("double(double,int32_t)", "double(double, int32_t)"),
        ("  void ( void ) ", "void()"),
        ("void()nogil", "void() nogil"),
        ("unsigned(long long int)", "unsigned int(long long)"),
        ("long unsigned int(int long)", "unsigned long(long)"),
        ("short signed int(unsigned short int)", "short(unsigned short)"),
        ("char(signed char,unsigned char)", "char(signed char, unsigned char)"),
        ("const char*(char const *)", "const char *(const char *)"),
        ("void*(const void*,void const*)", "void *(const void *, const void *)"),
        ("int(double*const,const double*)", "int(double *, const double *)"),
        ("_Bool(const double)", "bool(double)"),
        ("Py_ssize_t(PyObject *)", "ssize_t(object)"),
        ("object(object)", "object(object)"),
        ("std::size_t()", "size_t()"),
        ("int\t(\nint)", "int(int)"),
        ("void(const volatile double *restrict)", "void(const double *)"),
        ("ptrdiff_t()", "intptr_t()"),
    ],
)
def test_one_spelling_stands_for_all(text: str, canonical: str) -> None:
    assert parse_signature(text).text == canonical
    assert parse_signature(canonical).text == canonical


def test_a_type_alone_is_a_variable() -> None:
    assert parse_type("unsigned").text == "unsigned int"
    assert isinstance(parse("const char *"), CType)
    assert isinstance(parse("int()"), Signature)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        ("double", "is the type of a variable"),
        ("double(", "a type is missing"),
        ("double(double", r"its '\)' is missing"),
        ("double(double,)", r"\(at column 15\): found '\)' where a type was expected"),
        ("double(,)", "found ',' where a type"),
        ("double(double) x", "found 'x' after its end; only 'nogil' may follow"),
        ("double(double) nogil nogil", "found 'nogil' after its end"),
        ("double)double(", r"found '\)' where '\(' was expected"),
        ("double f(double)", "leave out the function's name"),
        ("double(double x)", "found the name 'x'; write types only"),
        ("double(double[3])", "an array is passed as a pointer: write 'double [*]'"),
        ("flot(double)", r"\(at column 1\): unknown type 'flot'; did you mean 'float'"),
        ("double(quux)", r"\(at column 8\): unknown type 'quux'; known types: bool, float"),
        ("int(const char *, ...)", "variadic"),
        ("int(void, int)", "no argument can be void"),
        ("int(int, void)", "no argument can be void"),
        ("long double()", "'long double' has no Python counterpart; export a function"),
        ("wchar_t()", "'wchar_t' is not known; use the integer type that it is"),
        ("double nogil", "'nogil' belongs behind"),
        ("long " * 100_000 + "()", "'long long long long long'... is no type of C"),
        ("int(struct point)", "a struct cannot be passed"),
        ("int(double **)", "pointer to pointers"),
        ("int(object *)", "pointer to objects"),
        ("object() nogil", "'object' needs the GIL"),
        ("int(object) nogil", "'object' needs the GIL"),
        ("short long()", "'short long' is no type of C"),
        ("long long long()", "is no type of C"),
        ("signed unsigned()", "is no type of C"),
        ("int(1)", "unknown type|found '1'"),
        ("int(int) \0", "after its end"),
        ("int(é)", "where a type was expected|unknown type"),
        (f"int({', '.join(['int'] * (MAX_PARAMS + 1))})", f"more than {MAX_PARAMS} arguments"),
    ],
)
def test_every_mistake_is_told(text: str, problem: str) -> None:
    with pytest.raises(jt.SignatureError, match=problem) as raised:
        parse_signature(text)
    assert isinstance(raised.value, TypeError)
    assert repr(text[:100])[:-1] in str(raised.value)


def test_what_is_no_text_or_no_type() -> None:
    with pytest.raises(jt.SignatureError, match="a signature is a str .* not int"):
        parse(3)  # type: ignore[arg-type]
    with pytest.raises(jt.SignatureError, match="is the signature of a function"):
        parse_type("int()")
    with pytest.raises(jt.SignatureError, match="a variable cannot be void"):
        parse("void")


def test_declaration() -> None:
    assert parse_signature("double(double) nogil").declaration("f") == "double f(double) nogil"
    assert parse_signature("const char *()").declaration("f") == "const char *f(void)"


def test_what_the_machine_cannot_tell_apart() -> None:
    def same(a: str, b: str) -> bool:
        return parse_type(a).machine == parse_type(b).machine

    assert same("int", "int32_t")
    assert same("const double *", "double *")
    assert same("const char *", "char *")
    assert not same("int32_t", "uint32_t")
    assert not same("int", "int64_t")
    assert not same("double *", "float *")
    assert not same("double *", "void *")
    assert not same("float", "double")


plain = st.sampled_from([*NUMBERS, "object"])
pointers = st.builds(
    lambda const, name: f"{const}{name} *",
    st.sampled_from(["", "const "]),
    st.sampled_from([*NUMBERS, "void"]),
)
types = plain | pointers


@given(types | st.just("void"), st.lists(types, max_size=15), st.booleans(), st.data())
def test_white_space_never_matters(
    result: str, params: list[str], nogil: bool, data: st.DataObject
) -> None:
    nogil = nogil and "object" not in (result, *params)
    canonical = f"{result}({', '.join(params)}){' nogil' if nogil else ''}"
    assert parse_signature(canonical).text == canonical
    space = st.sampled_from(["", " ", "\t", " \n "])
    spaced = "".join(
        data.draw(space) + token + data.draw(space) if token in "*(),"
        else " " if token == " " else token
        for token in _tokens(canonical)
    )  # fmt: skip
    assert parse_signature(spaced).text == canonical


def _tokens(text: str) -> list[str]:
    for mark in "*(), ":
        text = text.replace(mark, f"\0{mark}\0")
    return [token for token in text.split("\0") if token]


@given(st.lists(st.sampled_from([*"()*, \0é1._:", "int", "const", "void", "nogil", "double"])))
def test_no_text_raises_anything_else(tokens: list[str]) -> None:
    text = "".join(tokens)
    try:
        parsed = parse(text)
    except jt.SignatureError as error:
        assert repr(text) in str(error)
    else:
        assert parse(parsed.text).text == parsed.text
