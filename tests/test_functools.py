"""What users see of generic functions and methods, beside functools' own.

That they dispatch alike is for tests/calling/test_dispatch_*.py.
"""

from __future__ import annotations

import abc
import copy
import functools
import gc
import inspect
import pickle
import pydoc
import typing
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import jumptable.functools
from jumptable.functools import install, singledispatch, singledispatchmethod, uninstall

from .conftest import Run


@singledispatch
def describe(x: object, *, loud: bool = False) -> str:
    """Say what x is."""
    return "OBJECT" if loud else "object"


@describe.register
def _(x: int, *, loud: bool = False) -> str:
    return "INT" if loud else "int"


@functools.singledispatch
def describe_stock(x: object, *, loud: bool = False) -> str:
    """Say what x is."""
    return "OBJECT" if loud else "object"


class Shape:
    def __init__(self, name: str = "shape") -> None:
        self.name = name

    @singledispatchmethod
    def scale(self, by: object) -> str:
        """Scale it."""
        return f"{self.name} by object"

    @scale.register
    def _(self, by: int) -> str:
        return f"{self.name} by int"

    @singledispatchmethod
    @classmethod
    def make(cls, of: object) -> str:
        return f"{cls.__name__} of object"

    @make.register
    @classmethod
    def _(cls, of: int) -> str:
        return f"{cls.__name__} of int"


class Square(Shape):
    pass


def test_attributes_are_those_of_functools() -> None:
    stock = set(vars(describe_stock))
    assert set(vars(describe)) >= stock
    generic: Any = describe
    assert generic.__name__ == "describe" and generic.__doc__ == "Say what x is."
    assert generic.__module__ == __name__ and generic.__qualname__ == "describe"
    assert generic.__wrapped__ is describe.registry[object]
    assert type(describe.registry) is type(describe_stock.registry)
    assert inspect.signature(describe) == inspect.signature(describe_stock)
    assert typing.get_type_hints(describe) == typing.get_type_hints(describe_stock)
    assert inspect.isroutine(describe) and callable(describe)
    assert "generic function" in repr(describe) and "describe" in repr(describe)


def test_a_function_without_a_name() -> None:
    made, stock = (wrap(functools.partial(max, 1)) for wrap in (singledispatch, STOCK))
    for name in functools.WRAPPER_ASSIGNMENTS:
        if hasattr(stock, name):
            assert getattr(made, name) == getattr(stock, name), name
    for call in (made, stock):
        with pytest.raises(
            TypeError, match=r"^singledispatch function requires at least 1 positional argument$"
        ):
            call()


STOCK: Any = functools.singledispatch


def test_attributes_of_the_function_win() -> None:
    def function(x: object) -> str:
        return "object"

    function.register = "its own"  # type: ignore[attr-defined]
    for wrap in (singledispatch, STOCK):
        generic: Any = wrap(function)
        assert generic.register == "its own" and generic(1) == "object"
        assert wrap(wrap(lambda x: "object"))(1) == "object"


def test_attributes_can_be_set_and_are_copied_by_wraps() -> None:
    generic: Any = singledispatch(lambda x: "object")
    generic.mark = 1

    @functools.wraps(generic)
    def outer(x: object) -> object:
        return generic(x)

    outer.register(int, lambda x: "int")  # type: ignore[attr-defined]
    assert outer.mark == 1 and outer(1) == "int" and generic(1) == "int"  # type: ignore[attr-defined]


def test_help() -> None:
    for each, shown in (
        (describe, "describe(x: 'object', *, loud: 'bool' = False) -> 'str'\n    Say what x is."),
        (Shape("it").scale, "scale(self, by: 'object') -> 'str'\n"),
        (f"{__name__}.Shape.scale", "scale(self, by: 'object') -> 'str'\n"),
        (Shape, " |  scale(self, by: 'object') -> 'str'\n"),
    ):
        text = pydoc.plain(pydoc.render_doc(each))
        assert shown in text and "Bound(" not in text
    decorators: list[Any] = [singledispatch, singledispatchmethod, install, uninstall]
    assert all(each.__doc__ for each in decorators)
    assert "singledispatch" in pydoc.plain(pydoc.render_doc(jumptable.functools))


def test_a_generic_function_in_a_class_binds() -> None:
    class Holder:
        method = describe
        alone = staticmethod(describe)

    describe.register(Holder, lambda self, **options: "holder")
    try:
        holder: Any = Holder()
        assert holder.method() == "holder" and Holder.method(3) == "int"
        assert inspect.ismethod(Holder().method)
        assert Holder().alone(1) == "int"
        assert describe.__get__(5, int)() == "int"  # type: ignore[attr-defined]
    finally:
        describe.register(Holder, describe.registry[object])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_by_reference(protocol: int) -> None:
    assert pickle.loads(pickle.dumps(describe, protocol)) is describe


def test_copies_are_the_same() -> None:
    assert copy.copy(describe) is describe and copy.deepcopy(describe) is describe
    bound = Shape().scale
    assert copy.copy(bound) is bound and copy.deepcopy([bound])[0] is bound


def test_what_cannot_be_pickled() -> None:
    local = singledispatch(lambda x: x)
    for each in (local, Shape().scale):
        with pytest.raises((pickle.PicklingError, AttributeError)):
            pickle.dumps(each)


def test_a_name_that_is_more_than_a_string() -> None:
    class Name(str):
        pass

    def function(x: object) -> None:
        pass

    function.__name__ = Name("more")
    with pytest.raises(TypeError, match=r"^more requires at least 1 positional argument$"):
        singledispatch(function)()  # type: ignore[call-arg]


def test_a_registration_is_seen_by_calls_that_follow() -> None:
    generic: Any = singledispatch(lambda x: "object")
    assert generic(1) == "object"
    generic.register(int)(lambda x: "int")
    assert generic(1) == "int"


@pytest.mark.parametrize("called_before", [False, True])
def test_a_registration_in_the_middle_of_a_look_up(called_before: bool) -> None:
    """What the look-up finds was registered before, so only its own call gets that."""

    class Abstract(abc.ABC):  # noqa: B024
        @classmethod
        def __subclasshook__(cls, other: type) -> Any:
            if other is Late and generic.registry.get(Late) is None:
                generic.register(Late, lambda x: "late")
            return NotImplemented

    class Late:
        pass

    generic: Any = singledispatch(lambda x: "object")
    generic.register(Abstract, lambda x: "abstract")
    if called_before:  # then what was found for one class is kept already
        assert generic("") == "object"
    assert [generic(Late()) for _ in range(3)] == ["object", "late", "late"]


def test_every_way_to_call() -> None:
    assert describe(1) == "int" and describe(1, loud=True) == "INT"
    assert describe(*[1], loud=True) == "INT"
    assert list(map(describe, [1, ""])) == ["int", "object"]
    assert functools.partial(describe, 1)(loud=True) == "INT"
    assert describe.__call__(1) == "int"
    with pytest.raises(TypeError, match="describe requires at least 1 positional argument"):
        describe(x=1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'quiet'"):
        describe(1, quiet=True)  # type: ignore[call-arg]


def test_implementations_that_are_no_functions() -> None:
    generic: Any = singledispatch(lambda x: "object")
    generic.register(str, len)
    generic.register(list, functools.partial(max, default=0))
    generic.register(int, float)
    generic.register(float, generic.dispatch)
    assert (generic("abc"), generic([1, 2]), generic(3)) == (3, 2, 3.0)
    generic.register(bytes, "not callable")
    with pytest.raises(TypeError, match="'str' object is not callable"):
        generic(b"")


def test_one_that_dispatches_to_itself(run_python: Run) -> None:
    """Nothing but C between the calls: RecursionError, not a crash."""
    program = """
from jumptable.functools import singledispatch, singledispatchmethod
generic = singledispatch(lambda x: x)
generic.register(int, generic)
class Class:
    method = singledispatchmethod(lambda self, x: x)
Class.method.register(int, Class().method)
Class.method.register(str, staticmethod(Class().method))
for call in (lambda: generic(1), lambda: Class().method(1), lambda: Class().method("")):
    try:
        call()
    except RecursionError:
        print("RecursionError")
    except TypeError:  # the function takes no more than functools gives it
        print("TypeError")
"""
    outcome = run_python(program)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.split() == ["RecursionError", "TypeError", "RecursionError"]


@pytest.mark.parametrize("arguments", [(), (1, 2)])
def test_wrong_use_of_the_decorators(arguments: tuple[Any, ...]) -> None:
    decorators: list[Any] = [singledispatch, singledispatchmethod]
    for wrap in decorators:
        with pytest.raises(TypeError):
            wrap(*arguments)


@pytest.mark.parametrize(
    "register",
    [
        lambda generic: generic.register(3),
        lambda generic: generic.register(3, print),
        lambda generic: generic.register(print),
        lambda generic: generic.register("int", print),
        lambda generic: generic.register(typing.List[int], print),  # noqa: UP006
        lambda generic: generic.register(),
        lambda generic: generic.dispatch(),
        lambda generic: generic.dispatch(5),
        lambda generic: generic.dispatch(int, str),
        lambda generic: generic.register(misspelled),
    ],
)
def test_wrong_registrations(register: Callable[[Any], object]) -> None:
    """The same words as functools; what was there still holds."""
    said = []
    for wrap in (singledispatch, STOCK):
        generic = wrap(lambda x: "object")
        with pytest.raises((TypeError, NameError)) as caught:
            register(generic)
        said.append((caught.type, str(caught.value)))
        assert generic(1) == "object"
    assert said[0] == said[1]


def misspelled(x: Integer) -> None:  # type: ignore[name-defined] # noqa: F821
    pass


def test_a_method_is_functools_own_kind() -> None:
    method = vars(Shape)["scale"]
    assert isinstance(method, functools.singledispatchmethod)
    assert isinstance(method.dispatcher, type(describe))
    assert method.func(Shape(), "") == "shape by object"


def test_methods() -> None:
    square = Square("square")
    assert square.scale(1) == "square by int" and square.scale("") == "square by object"
    assert Square.make(1) == "Square of int" and square.make("") == "Square of object"
    assert Shape.scale(square, 1) == "square by object"  # dispatched on the square, as functools
    assert super(Square, square).scale(1) == "square by int"
    bound = square.scale
    assert bound(1) == bound(True) == "square by int" and list(map(bound, [1])) == ["square by int"]
    assert bound.__name__ == "scale" and bound.__doc__ == "Scale it."
    assert bound.__wrapped__ is vars(Shape)["scale"].func  # type: ignore[attr-defined]
    assert str(inspect.signature(bound)) == "(self, by: 'object') -> 'str'"
    assert repr(bound).startswith("<bound generic method Shape.scale of <")
    assert repr(Square.make) == f"<bound generic method Shape.make of {Square!r}>"


def test_bound_methods_are_equal_as_bound_methods_are() -> None:
    one, other = Shape(), Shape()
    assert one.scale == one.scale and hash(one.scale) == hash(one.scale)
    assert one.scale != other.scale and one.scale != one.make
    assert one.scale != "scale"  # type: ignore[comparison-overlap]
    assert len({one.scale, one.scale, other.scale}) == 2


def test_a_method_that_was_called_itself() -> None:
    method: Any = vars(Shape)["scale"]
    assert method(Shape(), 1) == "shape by int"
    with pytest.raises(TypeError, match=r"without an instance; expected instance.method\(argument"):
        method()
    calls: list[Callable[[], Any]] = [
        lambda: Shape().scale(),
        lambda: Stock().scale(),
    ]
    said = []
    for call in calls:
        with pytest.raises((IndexError, TypeError)) as caught:
            call()
        said.append((caught.type, str(caught.value)))
    assert said[0] == said[1]


class Stock:
    @functools.singledispatchmethod
    def scale(self, by: object) -> str:
        return ""


def test_a_dispatcher_that_is_replaced() -> None:
    class Local:
        @singledispatchmethod
        def method(self, x: object) -> str:
            return "first"

    method = vars(Local)["method"]
    assert Local().method(1) == "first"
    method.dispatcher = STOCK(lambda self, x: "functools")
    assert Local().method(1) == "functools"
    method.dispatcher = singledispatch(lambda self, x: "second")
    assert Local().method(1) == "second"
    del method.dispatcher
    with pytest.raises(AttributeError, match="dispatcher"):
        Local().method(1)


def test_subclasses_of_the_method() -> None:
    class Loud(singledispatchmethod):  # type: ignore[type-arg]
        def __get__(self, instance: Any, owner: Any = None) -> Any:
            method = super().__get__(instance, owner)
            return lambda *args: method(*args).upper()

    class Own(singledispatchmethod):  # type: ignore[type-arg]
        def __init__(self, func: Any) -> None:
            self.func = func
            self.dispatcher = singledispatch(func)

    class Local:
        loud = Loud(lambda self, x: "object")
        own = Own(lambda self, x: "object")

    assert Local().loud(1) == "OBJECT" and Local().own(1) == "object"


def test_an_instance_is_not_kept() -> None:
    shape = Shape()
    assert shape.scale(1) and shape.scale("") and shape.scale.__name__
    gone = weakref.ref(shape)
    del shape
    gc.collect()
    assert gone() is None


def test_a_generic_function_is_collected() -> None:
    def make() -> Any:
        generic: Any = singledispatch(lambda x: generic)
        generic.register(int, lambda x: generic)
        generic(1), generic("")
        return weakref.ref(generic), weakref.ref(generic.registry[int])

    gone = make()
    gc.collect()
    assert [each() for each in gone] == [None, None]


def test_methods_in_the_namespace_of_a_class_are_copied_as_those_of_functools() -> None:
    method = vars(Shape)["scale"]
    for copied in (copy.copy(method), copy.deepcopy(method)):
        assert type(copied) is type(method) and copied is not method
        assert copied.func is method.func and copied.dispatcher is method.dispatcher

        class Other:
            name = "other"
            scale = copied

        assert Other().scale(1) == "other by int"


def test_types_come_from_functools_for_those_who_ask() -> None:
    """pydantic takes what a class holds for a method only if it is a function or its type does."""
    for each in (describe, vars(Shape)["scale"]):
        assert type(each).__module__ == "functools"


def test_attributes_of_a_bound_method() -> None:
    bound: Any = Shape().scale
    bound.mark = 1
    assert bound.mark == 1 and vars(bound)["mark"] == 1 and not hasattr(Shape().scale, "mark")
    wrapper: Any = functools.wraps(bound)(lambda: 0)
    assert wrapper.mark == 1
    del bound.mark
    assert not hasattr(bound, "mark")
    with pytest.raises(AttributeError, match="cannot change __class__"):
        bound.__class__ = int
    assert weakref.ref(bound)() is bound


def test_loaded_again(run_python: Run) -> None:
    """As IPython's autoreload does, and after install()."""
    program = """
import functools, importlib, sys
import jumptable.functools as drop_in
stock = functools.singledispatch
drop_in.install()
importlib.reload(drop_in)
assert functools.singledispatch(lambda x: "object")(1) == "object"
assert drop_in.singledispatch(lambda x: "object")(1) == "object"
del sys.modules["jumptable.functools"]
import jumptable.functools
assert jumptable.functools.singledispatchmethod(lambda self, x: x).dispatcher(1, 2) == 2
jumptable.functools.uninstall()
assert functools.singledispatch is stock
print("done")
"""
    assert run_python(program).stdout == "done\n"


def test_one_that_comes_back_from_the_garbage(run_python: Run) -> None:
    """It died together with a class, whose address is another's by the next call."""
    program = """
import gc
from jumptable.functools import singledispatch
class Base: pass
class Holder:
    def __del__(self): back.append(self.generic)
back = []
gc.disable()
for _ in range(30):
    holder = Holder()
    holder.itself, holder.generic = holder, singledispatch(lambda x: "object")
    holder.generic.register(Base, lambda x: "base")
    dies = type("Dies", (Base,), {})
    assert holder.generic(dies()) == "base"
    del dies, holder
    gc.collect()
    generic = back.pop()
    others = [type("Other", (), {}) for _ in range(50)]
    assert {generic(each()) for each in others} == {"object"}
print("done")
"""
    assert run_python(program).stdout == "done\n"


def test_a_dispatcher_that_goes_during_its_look_up(run_python: Run) -> None:
    program = """
import gc
from jumptable.functools import singledispatchmethod
class Liar:
    @property
    def __class__(self):
        method = vars(Class)["method"]
        del method.dispatcher
        method.dispatcher = None
        gc.collect()
        globals()["junk"] = [bytearray(200) for _ in range(1000)]
        return int
for held in (False, True) * 20:
    class Class:
        @singledispatchmethod
        def method(self, x): return "object"
        method.register(int, lambda self, x: "int")
    bound = Class().method
    assert (bound(Liar()) if held else Class().method(Liar())) == "int"
print("done")
"""
    assert run_python(program).stdout == "done\n"


def test_a_first_call_while_another_thread_registers(run_python: Run) -> None:
    """What the call found before that is not what later calls get."""
    program = """
import abc, threading
from jumptable.functools import singledispatch
class Abstract(abc.ABC): pass
ROUNDS = 300
generics, values = [], [type("Class", (), {})() for _ in range(ROUNDS)]
for _ in range(ROUNDS):
    generics.append(singledispatch(lambda x: "object"))
    generics[-1].register(Abstract, lambda x: "abstract")
turn = threading.Barrier(2)
def call():
    for generic, value in zip(generics, values):
        turn.wait()
        generic(value)
def register():
    for number, (generic, value) in enumerate(zip(generics, values)):
        turn.wait()
        for _ in range(number % 60): pass
        generic.register(type(value), lambda x: "new")
threads = [threading.Thread(target=each) for each in (call, register)]
for each in threads: each.start()
for each in threads: each.join()
assert {generic(value) for generic, value in zip(generics, values)} == {"new"}
print("done")
"""
    assert run_python(program).stdout == "done\n"


@pytest.mark.parametrize("wrong", [int, 5, print])
def test_what_the_compiled_side_refuses(wrong: Any) -> None:
    from jumptable.calling.dispatch import adopt, bind_as_function, share

    calls: list[Callable[[], object]] = [
        lambda: bind_as_function(wrong),
        lambda: share(wrong),
        lambda: adopt(wrong, describe),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"expected|type"):
            call()


def test_install_and_uninstall(run_python: Run) -> None:
    program = """
import functools
import jumptable.functools as drop_in
stock = functools.singledispatch, functools.singledispatchmethod
ours = drop_in.singledispatch, drop_in.singledispatchmethod
def now(): return functools.singledispatch, functools.singledispatchmethod
drop_in.install(); drop_in.install(); assert now() == ours
generic = functools.singledispatch(lambda x: "object")
drop_in.uninstall(); assert now() == stock
drop_in.uninstall(); assert now() == stock
assert generic(1) == "object"
assert type(functools.singledispatch(lambda x: x)) is type(lambda: 0)
print("done")
"""
    assert run_python(program).stdout == "done\n"
