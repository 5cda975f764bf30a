"""Plugin: what `open` returns, and where looked-up symbols are kept.

Invariants
- ``known`` maps a signature's text, in every spelling used so far, to its Group: the functions of
  that signature by name. Spellings of one signature share one Group. A signature with defaults,
  a tuple of both texts, has a Group of its own. Entries of both are added
  with ``setdefault``, which is atomic, and never removed or replaced: there is no lock to wait for
  or to inherit by a fork. Of threads that race to resolve one name, all get what the first added.
- A Plugin is made by `new_plugin` and registered by `registry`; it lives as long as the process, as
  do the Groups that it knows. So threads that look the same up wait for no reference count.
"""

cimport cython
from cpython.object cimport PyObject

from sys import audit, intern

from ..binding.symbol import checked_defaults, with_defaults
from ..errors import SymbolError

cdef extern from "../counting/immortal.h":
    void jt_make_immortal(PyObject *) noexcept


@cython.final
@cython.auto_pickle(False)
cdef class Group:
    """The symbols that were looked up under one signature."""

    cdef object wanted  # what the source has parsed the signature to
    cdef dict named


# What only this module can pass: a Plugin that nobody filled in must not exist.
cdef object PRIVATE = object()


@cython.final
cdef class Plugin:
    """An open plugin: a native library, or a Python module or object.

    Made by `jumptable.open`; the same thing opened twice is the same Plugin. Safe to use from any
    thread.

    ``name`` is what the plugin calls itself, or else what it was first opened as, without its
    folder; ``version`` is its own, or None if it declares none; ``kind`` is "native" or "python";
    ``path`` is the file's real path, or None; ``init_seconds`` is how long loading or importing
    took, its own initialisation and that of what it needs included.
    """

    cdef readonly str name
    cdef readonly str version
    cdef readonly str kind
    cdef readonly str path
    cdef readonly double init_seconds
    cdef readonly object _source
    cdef dict known
    cdef object __weakref__

    def __cinit__(self, key=None):
        if key is not PRIVATE:
            raise TypeError("a Plugin is made by jumptable.open(target), not by Plugin()")

    def lookup(self, name not None, signature=None):
        """Resolve a name once; looking it up again returns the same object.

        In a native plugin, ``"double(double, int32_t)"`` gives a builtin function, and a type
        alone, ``"int32_t"``, a `Variable`; a function whose type the library itself declares, or
        has in its debug information, needs no signature. In a Python plugin the object itself comes
        back, or, with a signature, the C function that a Cython module exports under that name.

        Raises SymbolNotFoundError (an AttributeError), SymbolKindError (data for a function and
        the reverse, NULL, thread-local), or SignatureError (a TypeError: malformed, missing, or
        not the symbol's own).
        """
        cdef Group group
        if type(name) is not str:
            if not isinstance(name, str):
                raise TypeError(f"a symbol's name is a str, not {type(name).__name__}")
            name = str.__str__(name)
        if type(signature) is str:
            group = self.known.get(signature)
            if group is not None:
                found = group.named.get(name)
                if found is not None:
                    return found
        try:
            return self.resolve(name, signature)
        except SymbolError as error:
            if error.target is None:
                error.target = self._source.target
            raise

    cdef resolve(self, str name, signature):
        cdef Group group
        if signature is None:
            return self._source.attribute(self, name)
        group = self.known.get(signature) if type(signature) is str else None
        if group is None:
            group = self.group(self._source.parse(signature))
        return self.found(name, signature, group)

    cdef found(self, str name, signature, Group group):
        found = group.named.get(name)
        if found is None:
            found = self._source.function(self, name, group.wanted)
        # Not before there is something to add: look-ups that fail leave nothing behind.
        # Keys are interned: a look-up by an equal string would count one that is not.
        if group.wanted.text not in self.known:
            jt_make_immortal(<PyObject *>group)
        group = self.known.setdefault(intern(group.wanted.text), group)
        if type(signature) is str:
            self.known.setdefault(intern(signature), group)
        return group.named.setdefault(intern(name), found)

    def _function(self, str name not None, wanted not None):
        """What `lookup` gives for ``wanted.text``, which needs no parsing again."""
        cdef Group group = self.group(wanted)
        try:
            return self.found(name, wanted.text, group)
        except SymbolError as error:
            if error.target is None:
                error.target = self._source.target
            raise

    cdef Group group(self, wanted):
        """The Group of a parsed type."""
        cdef Group group = self.known.get(wanted.text)
        if group is None:
            group = Group.__new__(Group)
            group.wanted = wanted
            group.named = {}
        return group

    def bind(self, interface, factory=None):
        """Resolve and check every method of an interface at once.

        The interface is a class: a Protocol, an ABC or any other; its public methods count.

        A Python plugin is the object that its target names, which comes back as it is. A class is
        instantiated first; ``factory`` names an attribute that is called first. Each method must
        exist, and take the interface's parameters; those passed by position may have other names.

        A native plugin exports a symbol for each method. Annotations give its C signature:
        ``float`` is double, ``int`` int64_t, ``bool`` bool, ``str`` and ``bytes`` const char *,
        ``None`` void, and ``Annotated[int, "uint32_t"]`` what it says. What comes back is an object
        whose attributes are the builtin functions, as `lookup` gives them; arguments are passed
        by position, and those with a default may be left out.

        Raises InterfaceError (a TypeError), which lists everything that does not fit, or
        PluginInitError for what the plugin's class or factory raises.
        """
        from ..binding.facade import new_facade
        from ..binding.interfaces import interface_of

        wanted = interface_of(interface)
        audit("jumptable.bind", self._source.target, wanted.name)
        subject, targets = self._source.bound(self, wanted, wanted.members, factory)
        if self.kind != "native":
            return subject
        names = []
        for member in wanted.members:
            names.append(member.name)
        return new_facade(wanted.name, tuple(names), targets)

    def _jumptable_targets(self, interface, members, factory=None):
        """For tables: the callables for some members of an interface, in their order."""
        return self._source.bound(self, interface, members, factory)[1]

    def _with_defaults(self, str name not None, str signature not None, tuple defaults not None):
        """The native function ``name``, whose last arguments may be left out.

        The same defaults give the same function again, as `lookup` does.
        """
        cdef Group group
        function = self.lookup(name, signature)
        defaults = checked_defaults(function, defaults)
        # No signature is a tuple, so that these cannot be looked up as such.
        key = (function.__self__.signature, repr(defaults))
        group = self.known.get(key)
        if group is None:
            group = Group.__new__(Group)
            group.wanted = defaults
            group.named = {}
        found = group.named.get(name)
        if found is None:
            found = with_defaults(function, defaults)
        if key not in self.known:
            jt_make_immortal(<PyObject *>group)
        group = self.known.setdefault(key, group)
        return group.named.setdefault(name, found)

    def __repr__(self):
        where = f" from {self.path!r}" if self.path else ""
        return f"<Plugin {self.name!r}, {self.kind}{where}>"

    def __reduce__(self):
        from .registry import open

        return open, (self._source.target,)


def new_plugin(
    str name not None, str kind not None, str path, double init_seconds, source, str version=None
):
    """A Plugin that `registry` is about to register.

    ``source`` resolves what is not known yet: `natives.NativeSource` or `objects.ObjectSource`.
    """
    cdef Plugin plugin = Plugin.__new__(Plugin, PRIVATE)
    plugin.name = name
    plugin.version = version
    plugin.kind = kind
    plugin.path = path
    plugin.init_seconds = init_seconds
    plugin._source = source
    plugin.known = {}
    jt_make_immortal(<PyObject *>plugin)
    return plugin


def set_init_seconds(Plugin plugin not None, double seconds):
    """For `registry`: an open that a constructor made is part of the one that runs it."""
    plugin.init_seconds = seconds


# The interpreter counts Cython's methods like any object.
jt_make_immortal(<PyObject *>Plugin.lookup)
