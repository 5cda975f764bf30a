from cpython.object cimport PyObject

from .plans cimport jt_plan

# NULL with an exception set, and no traceback entry of its own: a hook call shows no frames.
cdef PyObject *run(jt_plan *plan, PyObject **values, int level) noexcept

# -1: not made by this module. Otherwise whether it contains the faults of this hook.
cdef int contains(object executor, object hook) except -2

# Drops the plan that is kept for a hook.
cdef int forget_plan(object executor, object hook) except -1
