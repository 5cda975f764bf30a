"""Table: slots that are bound now, and rebound while they are called.

Invariants
- A bind resolves and checks everything first, in ordinary Python, holding no lock. Then it stores
  all targets, the functions for C and the generation in one critical section of the facade, in
  which nothing can fail, no Python code runs and no reference is given up. With a GIL a bind is
  therefore one step for all threads; without one, each slot changes in one step (but what Python
  calls a moment before what C calls), binds don't mix, and the generation comes last: who reads it
  calls what that bind stored, or something newer.
- What C has asked for is read in that section, and still counts in it when the bind stores:
  neither a bind nor a new line is based on what the other has changed meanwhile.
- Replaced targets are released after that section: what their ``__del__`` does, binding this very
  table included, finds the table as the bind left it.
- The names and the facade never change. What a slot calls is kept by one facade, ``targets``; it
  is also what the host holds, unless calls are counted.
"""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_New
from cpython.ref cimport Py_INCREF
from cpython.unicode cimport PyUnicode_AsUTF8
from libc.stdint cimport uint32_t, uintptr_t

from .facade cimport jt_load_member, jt_word_of
from .records cimport Records, jt_bind, jt_slot, jt_store_all
from .slot cimport Pending, Slot, new_slot

import sys
from types import ModuleType

from ..counting.counter import new_counters
from ..errors import InterfaceError, SignatureError
from .facade import fill, members_of, new_facade
from .signatures import parse_signature
from .slot import Unbound
from .suggest import suggestion

cdef extern from "Python.h":
    void Py_XDECREF(PyObject *) noexcept
    PyObject *PyErr_Occurred() noexcept

cdef extern from *:
    """
    static jt_host_api jt_host_functions;
    """
    ctypedef struct jt_host_api:
        uint32_t abi
        uint32_t size
        jt_slot *(*get_slot)(PyObject *, const char *, const char *) except NULL
    jt_host_api jt_host_functions
    const uint32_t JUMPTABLE_ABI
    const char *JT_HOST_CAPSULE
    uintptr_t jt_load_number(uintptr_t *) noexcept
    void jt_store_number(uintptr_t *, uintptr_t) noexcept


cdef str shown(source):
    """A bind's source, for messages: its own repr may be long, or fail."""
    cls = type(source)
    if issubclass(cls, type):
        return f"the class {source.__name__} (not an instance of it)"
    if cls is ModuleType:
        return f"the module {source.__name__}"
    if resolver_of(source) is not None:
        return source.name
    return f"the {cls.__module__}.{cls.__qualname__} object"


cdef resolver_of(source):
    """What binds a Plugin, whose room comes after this one; None for anything else."""
    try:
        # Not getattr: metaclasses may answer to any name.
        return type.__getattribute__(type(source), "_jumptable_targets")
    except AttributeError:
        return None


cdef bint is_mapping(source) except -1:
    if isinstance(source, dict):
        return True
    from collections.abc import Mapping

    return isinstance(source, Mapping)


@cython.final
@cython.no_gc_clear  # whatever cycle this is in has a facade, a container or a class to clear
cdef class Table:
    """Table(interface, /, *, count=False)\n--\n
    Callables under names, found by attribute; all can be replaced while they are called.

    ``interface`` is a class (a Protocol, an ABC or any other), whose public methods are the slots,
    or a mapping of names to C signatures, ``{"apply": "double(double)", "flush": None}``; None
    takes any callable. A slot is unbound, and raises UnboundSlotError when called, until `bind`.
    ``count=True`` counts the calls of each slot, which costs a forwarding call.

    ``facade`` is what the host holds: its attributes are the targets themselves. ``names`` are
    those of the slots, ``generation`` the number of binds so far, ``plugin`` the Plugin of the
    latest one, or None if its source was none.

    Raises InterfaceError, which lists all that is wrong with the interface; TypeError for anything
    else. Safe to use from any thread.
    """

    cdef readonly tuple names
    cdef readonly object facade
    cdef object source  # the Plugin of the latest bind, or None
    cdef uintptr_t binds
    cdef object interface
    cdef tuple members  # of the interface
    cdef dict indices  # by name
    cdef object targets
    cdef list words  # the member descriptors of targets' class, by index
    cdef list counters  # of calls, by index, or None
    cdef dict followers  # by index: what C calls back, and `slot` gives if nothing is counted
    cdef Records records
    cdef object opening  # what binds the slots of a lazy table, or None
    cdef object __weakref__

    def __cinit__(self, *interfaces, bint count=False):
        cdef Py_ssize_t index
        from .interfaces import interface_of  # here, so that importing jumptable need not wait

        if len(interfaces) != 1:
            raise TypeError(
                "Table() takes one interface, as in Table(Filter) or Table(Filter, count=True), "
                f"not {len(interfaces)}"
            )
        interface = interfaces[0]
        self.interface = interface_of(interface)
        self.members = self.interface.members
        # Loops: Cython's comprehensions free an element twice where memory runs out.
        unfit, names, targets = [], [], []
        for member in self.members:
            names.append(member.name)
            targets.append(Unbound(self.interface.name, member.name))
            if member.is_attribute:
                unfit.append(member.name)
        if unfit:
            raise InterfaceError(
                f"a table of {self.interface.name} can hold methods only, and these are "
                f"attributes: {', '.join(unfit)}; make them methods, or leave them out"
            )
        self.names = tuple(names)
        self.indices = dict(zip(names, range(len(names))))
        self.targets = new_facade(self.interface.name, self.names, targets)
        self.words = members_of(type(self.targets), self.names)
        self.followers = {}
        self.records = Records(len(self.names))
        self.facade = self.targets
        if count:
            self.counters = new_counters(self.names)
            counting = []
            for index in range(len(names)):
                counting.append(
                    new_slot(self.targets, self.words[index], names[index], self.counters[index])
                )
            self.facade = fill(type(self.targets), self.names, counting)

    @classmethod
    def __class_getitem__(cls, item):
        from types import GenericAlias

        return GenericAlias(cls, item)

    def bind(self, source, *, only=None):
        """Bind all slots, or those named in ``only``, to what ``source`` has under their names.

        ``source`` is a Plugin, a mapping of names to callables, or any object with such attributes.
        Everything is resolved and checked first: if anything is wrong, nothing changes. Calls in
        flight finish in what they called; a call that starts after `bind` has returned never
        reaches what was bound before.

        Raises InterfaceError, which lists every mismatch; TypeError or ValueError for an ``only``
        that names no slots; PluginInitError if a Python plugin's class cannot be instantiated.
        """
        cdef list indices = self.selected(only)
        cdef list members = [], names = []
        for index in indices:
            members.append(self.members[index])
            names.append(self.names[index])
        pathlib = sys.modules.get("pathlib")  # who passes a path has imported it
        if isinstance(source, (str, bytes)) or (pathlib and isinstance(source, pathlib.PurePath)):
            raise TypeError(f"bind takes an open plugin: table.bind(jumptable.open({source!r}))")
        resolve = resolver_of(source)
        mapped = resolve is None and is_mapping(source)
        described = "the mapping" if mapped else shown(source)
        sys.audit("jumptable.swap", self.interface.name, described, names)
        if resolve is not None:
            targets = resolve(source, self.interface, members)
        elif mapped:
            from .interfaces import fit_callables

            targets = fit_callables(self.interface, members, source, described)
        else:
            from .interfaces import fit_object

            targets = fit_object(self.interface, members, source, described)
        self.publish(indices, targets, source if resolve is not None else None, NULL)

    def retry(self):
        """Let the next call of a lazy table try again to load its plugin, which has failed.

        Does nothing if nothing has failed. Safe to call from any thread.
        """
        if self.opening is not None:
            self.opening.retry()

    def slot(self, name):
        """A callable that calls whatever is bound to ``name`` at the moment of each call.

        Raises AttributeError, which suggests close names.
        """
        cdef Py_ssize_t index = self.index_of(name)
        if self.counters is not None:
            return jt_load_member(<PyObject *>self.facade, <PyObject *>self.words[index])
        return self.follower(index)

    @property
    def generation(self):
        """How many binds there were."""
        return jt_load_number(&self.binds)

    @property
    def plugin(self):
        """The Plugin of the latest bind, or None if its source was none."""
        with cython.critical_section(self.targets):
            return self.source

    @property
    def calls(self):
        """How often each slot was called from Python, by name, if the table counts.

        Every call that has begun before is in it. Each thread counts on a cache line of its own.
        """
        cdef Py_ssize_t index
        if self.counters is None:
            raise AttributeError(
                f"this table of {self.interface.name} does not count calls; make it with "
                "Table(..., count=True)"
            )
        calls = {}
        for index in range(len(self.names)):
            calls[self.names[index]] = self.counters[index].value
        return calls

    def __repr__(self):
        return (
            f"<Table of {self.interface.name}, {len(self.names)} slots, "
            f"generation {self.generation}{'' if self.opening is None else self.opening}>"
        )

    def __reduce__(self):
        raise TypeError(f"cannot pickle a table of {self.interface.name}: it is this process's own")

    cdef Py_ssize_t index_of(self, name) except -1:
        index = self.indices.get(name) if isinstance(name, str) else None
        if index is None:
            raise AttributeError(
                f"a table of {self.interface.name} has no slot {name!r}"
                + (suggestion(name, self.names) if isinstance(name, str) else "")
            )
        return index

    cdef list selected(self, only):
        """The indices of the slots that ``only`` names; of all if it is None."""
        if only is None:
            return list(range(len(self.names)))
        if isinstance(only, str):
            raise TypeError(f"only= takes several names, as in only=({only!r},), and not a str")
        indices, unknown = [], []
        for name in dict.fromkeys(only):
            index = self.indices.get(name)
            if index is not None:
                indices.append(index)
                continue
            hint = suggestion(name, self.names) if isinstance(name, str) else ""
            unknown.append(f"{name!r}{hint}")
        if unknown:
            raise ValueError(
                f"a table of {self.interface.name} has no slot {', '.join(unknown)}"
            )
        if not indices:
            raise ValueError("only= names no slot; leave it out to bind all")
        return indices

    cdef Slot follower(self, Py_ssize_t index):
        """The Slot of an index; there is one, which all threads get."""
        slot = self.followers.get(index)
        if slot is None:
            slot = new_slot(self.targets, self.words[index], self.names[index], None)
            slot = self.followers.setdefault(index, slot)
        return slot

    cdef bint publish(
        self, list indices, list targets, plugin, const uintptr_t *after
    ) except -1:
        """Bind what was checked; nothing, and 0, if another bind came ``after`` that one."""
        cdef Py_ssize_t position, index, done = 0, count = len(indices)
        cdef jt_bind *binds = <jt_bind *>PyMem_Calloc(count, sizeof(jt_bind))
        cdef object _replaced = plugin  # released after the section
        if binds == NULL:
            raise MemoryError
        try:
            for position in range(count):
                index = indices[position]
                target = targets[position]
                Py_INCREF(target)
                binds[position].target = <PyObject *>target
                binds[position].word = jt_word_of(
                    <PyObject *>self.targets, <PyObject *>self.words[index]
                )
            while not done:
                with cython.critical_section(self.targets):
                    made = self.records.made
                    if made:
                        self.find_lines(binds, indices)
                if made:
                    self.choose_functions(binds, indices, targets)
                with cython.critical_section(self.targets):
                    if after != NULL and after[0] != self.binds:
                        done = -1
                    elif made == self.records.made:
                        jt_store_all(binds, count, self.binds + 1)
                        _replaced, self.source = self.source, plugin
                        jt_store_number(&self.binds, self.binds + 1)
                        done = 1
        finally:
            for position in range(count):
                Py_XDECREF(binds[position].target)
            PyMem_Free(binds)
        return done > 0

    cdef list pending(self):
        """The indices of the slots that wait for the first call."""
        cdef Py_ssize_t index
        cdef list indices = []
        for index in range(len(self.names)):
            target = jt_load_member(<PyObject *>self.targets, <PyObject *>self.words[index])
            # Another slot's, bound to this one by hand, follows that slot.
            if (
                type(target) is Pending
                and (<Pending>target).facade is self.targets
                and (<Pending>target).member is self.words[index]
            ):
                indices.append(index)
        return indices

    cdef void find_lines(self, jt_bind *binds, list indices) noexcept:
        """Which slots C has asked for."""
        cdef Py_ssize_t position, index
        for position in range(len(indices)):
            index = indices[position]
            binds[position].lines[0] = self.records.lines[2 * index]
            binds[position].lines[1] = self.records.lines[2 * index + 1]

    cdef choose_functions(self, jt_bind *binds, list indices, list targets):
        """What C shall call, for the slots that it has asked for."""
        cdef Py_ssize_t position, index
        cdef int nogil
        for position in range(len(indices)):
            index = indices[position]
            for nogil in range(2):
                if binds[position].lines[nogil] != NULL:
                    binds[position].functions[nogil] = self.records.function_for(
                        index, nogil, targets[position], self.follower(index),
                        self.members[index].signature,
                    )

    cdef jt_slot *line(self, str name, str signature) except NULL:
        """The slot that C calls; its table is never collected from then on."""
        cdef Py_ssize_t index = self.index_of(name)
        cdef jt_slot *line
        cdef jt_slot **entry
        cdef uintptr_t binds
        cdef uintptr_t function
        cdef bint ready
        cdef const char *text
        cdef const char *shown_name = PyUnicode_AsUTF8(self.names[index])
        wanted = parse_signature(signature)
        own = self.members[index].signature
        if own is None:
            raise SignatureError(
                f"{name!r} of the table of {self.interface.name} has no C signature, and was asked "
                f"for as '{wanted.text}': "
                + (self.members[index].reason or "give the table one for it")
            )
        if own.machine != wanted.machine:
            raise SignatureError(
                f"{name!r} of the table of {self.interface.name} is '{own.text}', and was asked "
                f"for as '{wanted.text}'; use its own signature"
            )
        entry = &self.records.lines[2 * index + <int>wanted.nogil]
        while True:
            with cython.critical_section(self.targets):
                line = entry[0]
                binds = self.binds
            if line != NULL:
                return line
            target = jt_load_member(<PyObject *>self.targets, <PyObject *>self.words[index])
            function = self.records.function_for(
                index, wanted.nogil, target, self.follower(index), own
            )
            text = PyUnicode_AsUTF8(self.records.kept.setdefault(wanted.text, wanted.text))
            with cython.critical_section(self.targets):
                # Unless another thread was faster, or has bound something meanwhile.
                ready = entry[0] == NULL and self.binds == binds
                if ready:
                    line = self.records.new_line(shown_name, text, function, binds)
                    if line != NULL:
                        entry[0] = line
                        self.records.made += 1
            if ready:
                if line == NULL:
                    raise MemoryError
                Py_INCREF(self)  # never given up
                return line


def new_lazy_table(interface, opening not None, bint count=False):
    """A Table whose slots call ``opening.open(name)`` first, which is to call `bind_pending`."""
    cdef Table table = Table(interface, count=count)
    cdef Py_ssize_t index
    cdef PyObject **word
    cdef PyObject *unbound
    table.opening = opening
    for index in range(len(table.names)):
        member = table.words[index]
        pending = Pending(table.targets, member, opening, table.interface, table.names[index])
        word = jt_word_of(<PyObject *>table.targets, <PyObject *>member)
        unbound = word[0]  # nobody else has the table yet
        Py_INCREF(pending)
        word[0] = <PyObject *>pending
        Py_XDECREF(unbound)
    return table


def opening_of(Table table not None):
    """The ``opening`` of a lazy table; None for any other."""
    return table.opening


def is_pending(Table table not None):
    """Whether a slot of a lazy table waits for the first call."""
    return bool(table.pending())


def bind_pending(Table table not None, plugin not None, factory=None):
    """Bind what still waits for the first call; what was bound by hand meanwhile stays.

    Raises what `Table.bind` does.
    """
    cdef uintptr_t binds
    cdef list members = [], names = [], waiting
    cdef dict found
    for index in table.pending():
        members.append(table.members[index])
        names.append(table.names[index])
    if not names:
        return
    sys.audit("jumptable.swap", table.interface.name, shown(plugin), names)
    targets = resolver_of(plugin)(plugin, table.interface, members, factory)
    found = dict(zip(names, targets, strict=True))
    while True:
        binds = jt_load_number(&table.binds)
        # Of two threads that come here, the first binds all, and the second finds nothing left.
        waiting, targets = [], []
        for index in table.pending():
            if table.names[index] in found:
                waiting.append(index)
                targets.append(found[table.names[index]])
        if not waiting or table.publish(waiting, targets, plugin, &binds):
            return


cdef jt_slot *get_slot_of(PyObject *given, const char *name, const char *signature) except NULL:
    """What host.h calls."""
    if given == NULL:
        if PyErr_Occurred() == NULL:
            raise TypeError("jt_get_slot() takes a jumptable.Table, and got NULL")
        return NULL
    table = <object>given
    if not isinstance(table, Table):
        raise TypeError(f"jt_get_slot() takes a jumptable.Table, not {type(table).__name__}")
    if name == NULL or signature == NULL:
        raise TypeError("jt_get_slot() takes a name and a signature, and got NULL")
    # What is no UTF-8 is no name of the table's, and no signature.
    return (<Table>table).line(name.decode(errors="replace"), signature.decode(errors="replace"))


jt_host_functions.abi = JUMPTABLE_ABI
jt_host_functions.size = sizeof(jt_host_api)
jt_host_functions.get_slot = get_slot_of
host_api = PyCapsule_New(&jt_host_functions, JT_HOST_CAPSULE, NULL)
