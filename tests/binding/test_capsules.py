"""C functions that Cython modules export."""

from __future__ import annotations

import types
from typing import Any

import pytest

import jumptable as jt
from jumptable.binding.capsules import hidden_parameters
from jumptable.binding.signatures import parse_signature

special: Any = pytest.importorskip("scipy.special")


@pytest.fixture(scope="module")
def plugin() -> jt.Plugin:
    return jt.open("scipy.special.cython_special")


def test_a_function_of_cython_special(plugin: jt.Plugin) -> None:
    j1 = plugin.lookup("j1", "double(double)")
    assert j1(1.5) == pytest.approx(special.j1(1.5))
    assert j1.__self__.evidence == "capsule"
    assert j1.__self__.plugin is plugin
    assert plugin.lookup("j1", "double(double)") is j1
    assert plugin.lookup("j1", "double(double) nogil")(1.5) == j1(1.5)


def test_optional_arguments_are_left_out(plugin: jt.Plugin) -> None:
    name = "__pyx_fuse_1spherical_jn"
    assert "optional" in repr(special.cython_special.__pyx_capi__[name])
    spherical = plugin.lookup(name, "double(long, double)")
    assert spherical(2, 1.5) == pytest.approx(special.spherical_jn(2, 1.5))


def test_the_capsule_must_agree(plugin: jt.Plugin) -> None:
    for wrong in (
        "float(float)",
        "double(double, double)",
        "double()",
        "double(int)",
        "void(double)",
    ):
        with pytest.raises(
            jt.SignatureError, match=r"'j1' is 'double\(double\)', and was asked for"
        ) as raised:
            plugin.lookup("j1", wrong)
        assert raised.value.target == "scipy.special.cython_special"


def test_types_that_have_no_counterpart(plugin: jt.Plugin) -> None:
    with pytest.raises(jt.SignatureError, match="__pyx_t_double_complex"):
        plugin.lookup("wofz", "double(double)")


def test_names(plugin: jt.Plugin) -> None:
    with pytest.raises(
        jt.SymbolNotFoundError, match="exports no C function 'j11'; did you mean 'j1'"
    ):
        plugin.lookup("j11", "double(double)")
    assert plugin.lookup("j1") is special.cython_special.j1
    with pytest.raises(jt.SignatureError, match="os is Python: it exports no C functions"):
        jt.open("os").lookup("getpid", "int()")
    with pytest.raises(jt.SignatureError, match="type of a variable"):
        plugin.lookup("j1", "double")
    with pytest.raises(jt.SignatureError, match="unknown type"):
        plugin.lookup("j1", "flot(double)")


@pytest.mark.parametrize(
    ("own", "wanted", "hidden"),
    [
        ("int (void)", "int()", 0),
        ("int (int __pyx_skip_dispatch)", "int()", 1),
        ("PyObject *(PyObject *, Py_ssize_t)", "object(object, ssize_t)", 0),
        ("char const *(char *, struct s *)", "const char *(char *, void *)", 0),
        ("double (int, int __pyx_skip_dispatch, struct o *__pyx_optional_args)", "double(int)", 2),
        ("unsigned int (unsigned PY_LONG_LONG *)", "unsigned int(void *)", 0),
    ],
)
def test_agreement(own: str, wanted: str, hidden: int) -> None:
    assert hidden_parameters(parse_signature(wanted), own, "f") == hidden


@pytest.mark.parametrize("own", ["double", "void", "", "double (double) except", "double (double"])
def test_what_is_no_function(own: str) -> None:
    with pytest.raises(jt.SymbolKindError, match="no function's type|has no name"):
        hidden_parameters(parse_signature("double()"), own, "f")


def test_what_is_no_capsule() -> None:
    module: Any = types.ModuleType("odd")
    module.__pyx_capi__ = {"f": 3}
    with pytest.raises(jt.SymbolKindError, match="'f' in __pyx_capi__ is a int, and no PyCapsule"):
        jt.open(module).lookup("f", "double()")
