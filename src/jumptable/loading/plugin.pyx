"""Plugin: what `open` returns, and where looked-up symbols are kept.

Invariants
- ``known`` maps a signature's text, in every spelling used so far, to the functions of that
  signature by name. Spellings of one signature share one inner dict. Entries are added under
  ``lock`` and never removed or replaced, so `lookup` reads without it.
- A Plugin is made by `new_plugin` and registered by `registry`; it lives as long as the process.
"""

import _thread

cimport cython

from ..errors import SymbolError


# What only this module can pass: a Plugin that nobody filled in must not exist.
cdef object PRIVATE = object()


@cython.final
cdef class Plugin:
    """An open plugin: a native library, or a Python module or object.

    Made by `jumptable.open`; the same thing opened twice is the same Plugin. Safe to use from any
    thread.
    """

    cdef readonly str name
    cdef readonly str kind
    cdef readonly str path
    cdef readonly double init_seconds
    cdef readonly object _source
    cdef dict known
    cdef object lock
    cdef object __weakref__

    def __cinit__(self, key=None):
        if key is not PRIVATE:
            raise TypeError("a Plugin is made by jumptable.open(target), not by Plugin()")

    def lookup(self, str name not None, signature=None):
        """Resolve a name once; looking it up again returns the same object.

        In a native plugin, ``"double(double, int32_t)"`` gives a builtin function, and a type
        alone, ``"int32_t"``, a `Variable`. In a Python plugin the object itself comes back, or,
        with a signature, the C function that a Cython module exports under that name.

        Raises SymbolNotFoundError (an AttributeError), SymbolKindError (data for a function and
        the reverse, NULL, thread-local), or SignatureError (a TypeError: malformed, missing, or
        not the symbol's own).
        """
        cdef dict named
        if type(signature) is str:
            named = self.known.get(signature)
            if named is not None:
                found = named.get(name)
                if found is not None:
                    return found
        try:
            return self.resolve(name, signature)
        except SymbolError as error:
            if error.target is None:
                error.target = self._source.target
            raise

    cdef resolve(self, str name, signature):
        cdef dict named
        if signature is None:
            return self._source.attribute(self, name)
        canonical = self._source.canonical(signature)
        with self.lock:
            named = self.known.setdefault(canonical, {})
            found = named.get(name)
            if found is None:
                found = self._source.function(self, name, canonical)
                named[name] = found
            self.known[signature] = named
        return found

    def __repr__(self):
        where = f" from {self.path!r}" if self.path else ""
        return f"<Plugin {self.name!r}, {self.kind}{where}>"

    def __reduce__(self):
        from .registry import open

        return open, (self._source.target,)


def new_plugin(str name not None, str kind not None, str path, double init_seconds, source):
    """A Plugin that `registry` is about to register.

    ``source`` resolves what is not known yet: `natives.NativeSource` or `objects.ObjectSource`.
    """
    cdef Plugin plugin = Plugin.__new__(Plugin, PRIVATE)
    plugin.name = name
    plugin.kind = kind
    plugin.path = path
    plugin.init_seconds = init_seconds
    plugin._source = source
    plugin.known = {}
    plugin.lock = _thread.RLock()
    return plugin


def set_init_seconds(Plugin plugin not None, double seconds):
    """For `registry`: an open that a constructor made is part of the one that runs it."""
    plugin.init_seconds = seconds
