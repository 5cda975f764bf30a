"""Hook implementations timed without their noticing; `hookstats` is what users see.

A pluggy manager calls ``_inner_hookexec(name, implementations, arguments, firstresult)``. A
`Recorder` stands in that place. It passes each call on with twins of the implementations: the same
in all but the function, which is a builtin that reads the clock before and after the original.
Wrappers give a `TimedGenerator`, which does so for both halves.

Nothing here has a Python frame, and nothing here catches: stack levels of warnings, tracebacks and
what ``sys._getframe`` sees are the same as without.

Invariants
- An `Account` belongs to one thread, the only one that adds to it; its numbers are counters in a
  padded stripe, so who adds the accounts up, and other threads' accounts, are no hindrance.
  Dictionaries shared by threads are read by single operations.
- Between the end of an implementation and the return from here, only numbers are touched: an
  exception may be on its way.
- A thread's ``nested`` is the time of the hook calls made by the implementation that it is in. Each
  implementation starts it at 0; each hook call puts the old value back, and adds its own time. A
  greenlet that leaves in between gets wrong numbers, nothing worse.
"""

cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int64_t

from ..counting.counter cimport Memory, jt_word_add, jt_word_load

cdef extern from "found.h":
    object jt_found(object, object)

cdef extern from "clock.h":
    int64_t jt_now() noexcept nogil

cdef extern from "Python.h":
    ctypedef struct PyMethodDef:
        const char *ml_name
        void *ml_meth
        int ml_flags
        const char *ml_doc
    int METH_FASTCALL, METH_KEYWORDS, METH_NOARGS, METH_O
    object PyCFunction_New(PyMethodDef *, object)
    unsigned long PyThread_get_thread_ident() noexcept
    bint PyGen_CheckExact(PyObject *) noexcept
    # As pointers: what they return, NULL as well, is passed on untouched.
    PyObject *PyObject_Vectorcall(
        PyObject *, PyObject *const *, size_t, PyObject *
    ) noexcept
    PyObject *PyObject_VectorcallMethod(
        PyObject *, PyObject *const *, size_t, PyObject *
    ) noexcept
    void Py_DECREF(PyObject *) noexcept
    void PyErr_Clear() noexcept

cdef extern from *:
    """
    static PyObject *jt_call_next(PyObject *generator) {
        return Py_TYPE(generator)->tp_iternext(generator);
    }
    static void jt_set_next(PyObject *type, PyObject *(*next)(PyObject *)) {
        ((PyTypeObject *)type)->tp_iternext = next;
    }
    """
    PyObject *jt_call_next(PyObject *) noexcept
    void jt_set_next(object, PyObject *(*)(PyObject *) noexcept) noexcept


@cython.final
@cython.auto_pickle(False)
cdef class Thread:
    """What one thread has measured."""

    cdef int64_t nested
    cdef dict accounts


@cython.final
@cython.auto_pickle(False)
cdef class Account:
    """One implementation's numbers in one thread: its calls, their own and total nanoseconds."""

    cdef Thread thread
    cdef Memory memory
    cdef Py_ssize_t active  # how many of the thread's calls have not ended


@cython.final
@cython.auto_pickle(False)
cdef class Recorder:
    """Stands between a manager and what runs its hook calls, ``inner``.

    ``running`` is whether it measures; it passes calls on in any case.
    """

    cdef dict threads, twins, keys
    cdef public bint running
    cdef readonly object inner

    def __init__(self, inner not None):
        self.inner = inner
        self.threads = {}
        self.twins = {}
        self.keys = {}
        self.running = True

    def place(self):
        """The function to put into a manager's ``_inner_hookexec``."""
        return PyCFunction_New(&execute_definition, self)

    def forget_implementations(self):
        """Let go of the twins, and with them of the plugins."""
        self.twins.clear()  # not another dictionary: threads may just be looking into this one

    def rows(self):
        """``(hook, plugin, calls, own ns, total ns)``, for each thread."""
        rows = []
        for thread in self.threads.copy().values():
            for key, account in (<Thread>thread).accounts.copy().items():
                rows.append((*key, *numbers(<Account>account)))
        return rows


cdef enum:  # the words of an account
    CALLS, OWN, TOTAL, WORDS


cdef void add(Account account, int word, int64_t n) noexcept:
    jt_word_add(<int64_t *>account.memory.first + word, n)


cdef tuple numbers(Account account):
    cdef int64_t *words = <int64_t *>account.memory.first
    return jt_word_load(&words[CALLS]), jt_word_load(&words[OWN]), jt_word_load(&words[TOTAL])


@cython.final
@cython.auto_pickle(False)
cdef class Timed:
    """What a timed function or the methods of a timed generator know."""

    cdef object target
    cdef tuple key
    cdef Recorder recorder
    cdef bint wrapper


@cython.final
@cython.auto_pickle(False)
cdef class TimedGenerator:
    """A wrapper's generator. ``next()`` is timed as well; all other attributes are its own."""

    cdef Timed timed
    cdef readonly object send, throw, close

    def __iter__(self):
        return self

    def __getattr__(self, name):
        return getattr(self.timed.target, name)


cdef Thread thread_of(Recorder recorder):
    ident = PyThread_get_thread_ident()
    thread = jt_found(recorder.threads, ident)
    if thread is None:
        thread = Thread.__new__(Thread)
        (<Thread>thread).accounts = {}
        recorder.threads[ident] = thread
    return <Thread>thread


cdef Account account_of(Timed timed):
    thread = thread_of(timed.recorder)
    account = jt_found(thread.accounts, timed.key)
    if account is None:
        account = Account.__new__(Account)
        (<Account>account).thread = thread
        (<Account>account).memory = Memory(WORDS * sizeof(int64_t))
        thread.accounts[timed.key] = account
    return <Account>account


cdef Account enter(Timed timed, bint call):
    """The account to measure to, or None; raises nothing."""
    if not timed.recorder.running:
        return None
    try:
        account = account_of(timed)
    except Exception:  # no memory, or the recursion limit, which the original is to run into
        return None
    if call:
        add(account, CALLS, 1)
    account.active += 1
    return account


cdef void leave(Account account, int64_t started) noexcept:
    cdef int64_t elapsed = jt_now() - started
    cdef int64_t own = elapsed - account.thread.nested
    if own > 0:
        add(account, OWN, own)
    account.active -= 1
    if account.active == 0:  # what it took inside itself is in the outermost time already
        add(account, TOTAL, elapsed)


cdef PyObject *call_function(
    PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names
) noexcept:
    cdef Timed timed = <Timed>self
    cdef Account account = enter(timed, True)
    cdef int64_t started
    cdef PyObject *result
    if account is None:
        return PyObject_Vectorcall(<PyObject *>timed.target, args, count, names)
    account.thread.nested = 0
    started = jt_now()
    result = PyObject_Vectorcall(<PyObject *>timed.target, args, count, names)
    leave(account, started)
    if timed.wrapper and result != NULL:
        # The latter where two recorders measure one manager.
        if PyGen_CheckExact(result) or type(<object>result) is TimedGenerator:
            return timed_generator(timed, result)
    return result


cdef PyObject *timed_generator(Timed timed, PyObject *generator) noexcept:
    try:
        proxy = new_generator(timed, <object>generator)
    except Exception:
        return generator
    Py_DECREF(generator)
    Py_INCREF(proxy)
    return <PyObject *>proxy


cdef TimedGenerator new_generator(Timed timed, generator):
    cdef Timed halves = Timed.__new__(Timed)
    cdef TimedGenerator proxy = TimedGenerator.__new__(TimedGenerator)
    halves.target, halves.key, halves.recorder = generator, timed.key, timed.recorder
    proxy.timed = halves
    # They refer to `halves` and not to the proxy: a cycle would put the generator's end off.
    proxy.send = PyCFunction_New(&send_definition, halves)
    proxy.throw = PyCFunction_New(&throw_definition, halves)
    proxy.close = PyCFunction_New(&close_definition, halves)
    return proxy


cdef PyObject *call_half(Timed timed, PyObject *name, PyObject *const *args, size_t count) noexcept:
    cdef PyObject *words[4]
    cdef Account account = enter(timed, False)
    cdef int64_t started = 0
    cdef PyObject *result
    cdef size_t i
    words[0] = <PyObject *>timed.target
    for i in range(count):
        words[i + 1] = args[i]
    if account is not None:
        account.thread.nested = 0
        started = jt_now()
    if name == NULL:
        result = jt_call_next(words[0])
    else:
        result = PyObject_VectorcallMethod(name, words, count + 1, NULL)
    if account is not None:
        leave(account, started)
    return result


cdef PyObject *call_next(PyObject *self) noexcept:
    return call_half((<TimedGenerator>self).timed, NULL, NULL, 0)


cdef PyObject *call_send(PyObject *self, PyObject *value) noexcept:
    return call_half(<Timed>self, <PyObject *>SEND, &value, 1)


cdef PyObject *call_throw(PyObject *self, PyObject *const *args, Py_ssize_t count) noexcept:
    # No more than generators take; pluggy gives one.
    return call_half(<Timed>self, <PyObject *>THROW, args, <size_t>count if count < 3 else 3)


cdef PyObject *call_close(PyObject *self, PyObject *_) noexcept:
    return call_half(<Timed>self, <PyObject *>CLOSE, NULL, 0)


cdef PyObject *execute(
    PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names
) noexcept:
    cdef Recorder recorder = <Recorder>self
    cdef PyObject *inner = <PyObject *>recorder.inner
    cdef PyObject *words[4]
    cdef Thread thread
    cdef int64_t outer, started
    cdef PyObject *result
    if not recorder.running or count != 4 or names != NULL:
        return PyObject_Vectorcall(inner, args, count, names)
    try:
        twins = twins_of(recorder, <object>args[0], <object>args[1])
        thread = thread_of(recorder)
    except Exception:  # what is no implementation of pluggy's is not measured
        return PyObject_Vectorcall(inner, args, count, names)
    words[0], words[1], words[2], words[3] = args[0], <PyObject *>twins, args[2], args[3]
    outer = thread.nested
    started = jt_now()
    result = PyObject_Vectorcall(inner, words, 4, NULL)
    thread.nested = outer + (jt_now() - started)
    return result


cdef list twins_of(Recorder recorder, str name, implementations):
    """Twins of these implementations, kept until the hook is called with others.

    One whose ``function`` has been replaced is another.
    """
    cdef list originals, functions, twins
    cdef Py_ssize_t i
    found = jt_found(recorder.twins, name)
    if found is not None:
        originals, functions, twins = <tuple>found
        if len(originals) == len(implementations):
            for i in range(len(originals)):
                implementation = implementations[i]
                if originals[i] is not implementation:
                    break
                if functions[i] is not implementation.function:
                    break
            else:
                return twins
    originals = list(implementations)
    functions, twins = [], []
    for implementation in originals:
        function = implementation.function
        functions.append(function)
        twins.append(twin_of(recorder, name, implementation, function))
    recorder.twins[name] = (originals, functions, twins)
    return twins


cdef twin_of(Recorder recorder, str name, implementation, function):
    cdef Timed timed = Timed.__new__(Timed)
    cls = type(implementation)
    twin = cls.__new__(cls)
    for slot in cls.__slots__:
        setattr(twin, slot, getattr(implementation, slot))
    timed.target = function
    key = (name, label_of(implementation))
    timed.key = recorder.keys.setdefault(key, key)  # one object is found without comparing
    timed.recorder = recorder
    timed.wrapper = implementation.wrapper or implementation.hookwrapper
    twin.function = PyCFunction_New(&function_definition, timed)
    return twin


cdef str label_of(implementation):
    name, plugin = implementation.plugin_name, implementation.plugin
    if name == str(id(plugin)):  # pluggy's name for what has none; no two runs agree on it
        cls = type(plugin)
        return f"<{cls.__module__}.{cls.__qualname__}>"
    return str(name)


cdef str SEND = "send"
cdef str THROW = "throw"
cdef str CLOSE = "close"

cdef PyMethodDef execute_definition, function_definition
cdef PyMethodDef send_definition, throw_definition, close_definition
execute_definition.ml_name = "timed_hookexec"
execute_definition.ml_meth = <void *>execute
execute_definition.ml_flags = METH_FASTCALL | METH_KEYWORDS
function_definition.ml_name = "timed_hook_implementation"
function_definition.ml_meth = <void *>call_function
function_definition.ml_flags = METH_FASTCALL | METH_KEYWORDS
send_definition.ml_name = "send"
send_definition.ml_meth = <void *>call_send
send_definition.ml_flags = METH_O
throw_definition.ml_name = "throw"
throw_definition.ml_meth = <void *>call_throw
throw_definition.ml_flags = METH_FASTCALL
close_definition.ml_name = "close"
close_definition.ml_meth = <void *>call_close
close_definition.ml_flags = METH_NOARGS
jt_set_next(TimedGenerator, call_next)
