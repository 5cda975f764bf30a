"""Facades: objects whose plain attributes are callables.

Invariants
- A facade's class has ``__slots__`` and neither ``__getattr__`` nor ``__dict__``, so the
  interpreter's inline caches find the attribute. Names never come or go, and no attribute is ever
  empty.
- Attributes are replaced only by `table`, inside the facade's critical section, by one pointer
  store each; the old reference is given up after that section. So a thread that loads one, which
  the interpreter does without a lock, gets the old target or the new one, with its own reference.
"""

from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF

from types import MemberDescriptorType

cdef extern from "../counting/immortal.h":
    void jt_make_immortal(PyObject *) noexcept


cdef class Facade:
    """What the classes of all facades have in common: attributes that cannot be assigned."""

    def __setattr__(self, name, value):
        refuse(self, name)

    def __delattr__(self, name):
        refuse(self, name)

    def __repr__(self):
        return f"<facade of {type(self).__name__}: {', '.join(type(self).__slots__)}>"

    def __reduce_ex__(self, protocol):
        raise TypeError(f"cannot pickle or copy a facade of {type(self).__name__}")


cdef refuse(facade, name):
    raise AttributeError(
        f"cannot assign {name!r} of a facade of {type(facade).__name__}: its attributes are bound "
        "by a plugin or a table; to replace one, call table.bind({...}, only=(...,))"
    )


def new_facade(str name not None, tuple names not None, list targets not None):
    """An object with the attributes ``names``, which are ``targets``, in that order.

    Its class is made for it, and is called ``name``. Lives as long as the process on free-threaded
    builds.
    """
    cls = type(name, (Facade,), {
        "__slots__": names,
        "__module__": "jumptable",
        "__doc__": f"The callables that are bound to {name}, as plain attributes.",
    })
    return fill(cls, names, targets)


def fill(cls, tuple names not None, list targets not None):
    """Another facade of a class that `new_facade` made."""
    cdef void **word
    facade = cls()
    for member, target in zip(members_of(cls, names), targets, strict=True):
        word = <void **>jt_word_of(<PyObject *>facade, <PyObject *>member)
        Py_INCREF(target)
        jt_store_pointer(word, <void *>target)
    jt_make_immortal(<PyObject *>facade)
    return facade


def members_of(cls, tuple names not None):
    """The descriptors of a facade's attributes, by which they are found in its memory."""
    members = []
    for name in names:
        member = cls.__dict__[name]
        if type(member) is not MemberDescriptorType:  # "__dict__" and "__weakref__" are not
            raise TypeError(f"a facade cannot have an attribute {name!r}")
        members.append(member)
    return members
