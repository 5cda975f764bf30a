"""functools.singledispatch and singledispatchmethod, with compiled dispatch.

    from jumptable.functools import singledispatch, singledispatchmethod

Both do what those of the running interpreter's functools do, and use its code for all but the
calls: a call compares the argument's type with the few that were seen first, or looks it up in a
table. Implementations are chosen, registered and refused as always, with the same messages.
"""

from __future__ import annotations

import functools

from .calling.dispatch import STOCK, Dispatcher, GenericMethod, adopt, bind_as_function, share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from functools import singledispatch, singledispatchmethod
    from typing import Any

__all__ = ["install", "singledispatch", "singledispatchmethod", "uninstall"]

if not TYPE_CHECKING:

    def singledispatch(func):
        """Make a function generic: which implementation runs depends on its first argument's type.

        What is decorated is the implementation for ``object``; ``register`` adds others. See
        `functools.singledispatch`. What comes back has the attributes of functools' function, and
        binds, pickles and copies as one, but is not a `types.FunctionType`. Safe to call, and to
        register with, from any thread.
        """
        stock = STOCK[0](object())
        stock_register = stock.register
        stock_register(object, func)
        generic = Dispatcher(
            stock.registry, stock.dispatch, getattr(func, "__name__", "singledispatch function")
        )
        find, clear = generic.dispatch, generic._clear_cache

        def dispatch(cls):
            """generic_func.dispatch(cls) -> <function implementation>

            The best implementation that is registered for *cls*.
            """
            return find(cls)

        def register(cls, func=None):
            """generic_func.register(cls, func) -> func

            Registers a new implementation for the given *cls* on a *generic_func*.
            """
            registered = stock_register(cls, func)
            if func is None and registered is not cls:  # a decorator, to be given the function
                return lambda f: register(cls, f)
            clear()
            return registered

        functools.update_wrapper(generic, stock)
        generic.register = register
        generic.dispatch = dispatch
        generic._clear_cache = clear
        functools.update_wrapper(generic, func)
        if _lives_for_the_process(func):
            share(generic)
        return generic

    class singledispatchmethod(GenericMethod):
        """Make a method generic: which implementation runs depends on the type of the first
        argument after ``self`` or ``cls``.

        Wraps functions and other descriptors, such as class methods. See
        `functools.singledispatchmethod`, of which this is a subclass.
        """

        def __init__(self, func):
            super().__init__(func)
            if hasattr(self, "_method_cache"):  # with it, functools keeps bound methods
                self._method_cache = None
            if not isinstance(self.dispatcher, Dispatcher):  # it is where install() was called
                adopt(self, singledispatch(func))
            if _lives_for_the_process(func):
                share(self)

        def __reduce_ex__(self, protocol):
            return _copied, (type(self), self.dispatcher, vars(self))

    bind_as_function(singledispatchmethod)
    # As that of generic functions: for those who look where a type comes from.
    singledispatchmethod.__module__ = "functools"


def _copied(cls: Any, dispatcher: Any, attributes: dict[str, Any]) -> Any:
    method = cls.__new__(cls)
    method.dispatcher = dispatcher
    vars(method).update(attributes)
    return method


def _lives_for_the_process(func: Callable[..., Any]) -> bool:
    """As functions that are made by no other function do."""
    name = getattr(func, "__qualname__", None)
    return isinstance(name, str) and "<locals>" not in name


def install() -> None:
    """Put both in the place of functools' own, for whoever takes them from there afterwards."""
    functools.singledispatch = singledispatch
    functools.singledispatchmethod = singledispatchmethod  # type: ignore[misc]


def uninstall() -> None:
    """Put functools' own back. What was made in the meantime stays as it is."""
    functools.singledispatch, functools.singledispatchmethod = STOCK  # type: ignore[misc]
