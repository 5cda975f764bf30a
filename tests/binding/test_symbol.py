"""What a looked-up function says of itself; pickling; memory."""

from __future__ import annotations

import copy
import ctypes
import gc
import inspect
import pickle
import pydoc
import sys
import sysconfig
import types
import weakref
from typing import Any

import pytest

import jumptable as jt
from tests.conftest import Compile, Run

OWNER = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)


def test_introspection(basic: jt.Plugin) -> None:
    scale = basic.lookup("scale", "double(double,int32_t)")
    assert type(scale) is types.BuiltinFunctionType
    assert scale.__name__ == "scale"
    assert scale.__doc__ == "double scale(double, int32_t)"
    assert str(inspect.signature(scale)) == "(arg1, arg2, /)"
    symbol = scale.__self__
    assert isinstance(symbol, jt.Symbol)
    assert symbol.plugin is basic
    assert (symbol.name, symbol.signature) == ("scale", "double(double, int32_t)")
    assert symbol.evidence == "asserted"
    assert symbol.address > 0
    assert repr(symbol) == f"<Symbol 'double scale(double, int32_t)' of {basic!r}>"
    assert "double scale(double, int32_t)" in pydoc.plain(pydoc.render_doc(scale))
    assert str(inspect.signature(basic.lookup("count", "void()"))) == "()"
    assert str(inspect.signature(basic.lookup("half", "double(double)"))) == "(arg1, /)"


def test_the_same_function_for_the_same_signature(basic: jt.Plugin) -> None:
    scale = basic.lookup("scale", "double(double, int32_t)")
    assert basic.lookup("scale", "double(double, int32_t)") is scale
    assert basic.lookup("scale", " double ( double , int32_t ) ") is scale
    assert basic.lookup("scale", "double(double, int32_t) nogil") is not scale
    assert basic.lookup("scale", "double(double, int)").__doc__ == "double scale(double, int)"


def test_symbols_are_immutable_and_made_by_lookups_only(basic: jt.Plugin) -> None:
    symbol = basic.lookup("half", "double(double)").__self__
    for attribute in ("plugin", "name", "signature", "address", "evidence", "other"):
        with pytest.raises(AttributeError):
            setattr(symbol, attribute, 1)
    with pytest.raises(AttributeError, match="'Symbol' object has no attribute 'nothing'"):
        _ = symbol.nothing
    uninitialised: Any
    for uninitialised in (jt.Symbol, jt.Plugin, jt.Variable):
        with pytest.raises(TypeError):
            uninitialised()
        with pytest.raises(TypeError):
            uninitialised.__new__(uninitialised)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_by_reference(basic: jt.Plugin, data: jt.Plugin, protocol: int) -> None:
    for thing in (
        basic.lookup("scale", "double(double, int32_t)"),
        basic.lookup("scale", "double(double, int32_t)").__self__,
        basic.lookup("length", "size_t(const char *) nogil"),
        data.lookup("abi_version", "int32_t"),
        basic,
    ):
        assert pickle.loads(pickle.dumps(thing, protocol)) is thing
        assert copy.copy(thing) is thing


def test_pickling_into_another_process(basic: jt.Plugin, run_python: Run) -> None:
    pickled = pickle.dumps(basic.lookup("scale", "double(double, int32_t)"))
    done = run_python(f"import pickle; print(pickle.loads({pickled!r})(1.5, 3))")
    assert done.stdout == "4.5\n"


@pytest.mark.parametrize("name", ["name", "address", "signature", "evidence", "plugin", "__doc__"])
def test_pickling_functions_that_are_named_like_an_attribute(
    compile_plugin: Compile, name: str
) -> None:
    plugin = jt.open(compile_plugin("named", f"double {name}(double x) {{ return x + 1; }}\n"))
    function = plugin.lookup(name, "double(double)")
    assert pickle.loads(pickle.dumps(function)) is function
    assert function(1.0) == 2.0


def test_functions_live_with_their_plugin_and_pointers_with_their_owner(basic: jt.Plugin) -> None:
    owner = OWNER(basic.lookup("half", "double(double)").__self__.address)
    alive = weakref.ref(owner)
    function = jt.from_pointer(owner, "double(double)")
    del owner
    assert function(3.0) == 1.5
    assert alive() is not None
    del function
    gc.collect()
    assert alive() is None


def test_a_cycle_through_the_owner_is_collected(basic: jt.Plugin) -> None:
    owner: Any = OWNER(basic.lookup("half", "double(double)").__self__.address)
    alive = weakref.ref(owner)
    owner.function = jt.from_pointer(owner, "double(double)")
    del owner
    gc.collect()
    assert alive() is None


def test_a_bound_symbol_is_small(compile_plugin: Compile, run_python: Run) -> None:
    count = 5000
    text = "".join(f"double f{k:05d}(double x) {{ return x + {k}; }}\n" for k in range(count))
    program = """
import sys, tracemalloc
import jumptable as jt
plugin = jt.open(sys.argv[1])
names = [f"f{k:05d}" for k in range(int(sys.argv[2]))]
plugin.lookup(names.pop(), "double(double)")
tracemalloc.start()
before = tracemalloc.get_traced_memory()[0]
for name in names:
    plugin.lookup(name, "double(double)")
print((tracemalloc.get_traced_memory()[0] - before) / len(names))
"""
    done = run_python(program, compile_plugin("many", text, "-O0"), count)
    assert float(done.stdout) < 400


def test_names_with_dots_keep_their_signature(compile_plugin: Compile) -> None:
    text = (
        '__asm__(".globl plugin.half\\n.type plugin.half, @function\\n.text\\nplugin.half:\\nret");'
    )
    half = jt.open(compile_plugin("dotted", text)).lookup("plugin.half", "double(double)")
    assert half.__name__ == "plugin.half"
    assert str(inspect.signature(half)) == "(arg1, /)"
    assert half(2.0) == 2.0


@pytest.mark.skipif(not hasattr(sys, "_is_gil_enabled"), reason="needs Python 3.13")
def test_importing_leaves_the_gil_off(run_python: Run) -> None:
    program = "import sys, jumptable; print(sys._is_gil_enabled())"
    expected = not sysconfig.get_config_var("Py_GIL_DISABLED")
    assert run_python(program).stdout == f"{expected}\n"
