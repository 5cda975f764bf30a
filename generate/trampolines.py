"""Write trampolines.h: run by setup.py when the package is built.

A trampoline has the exact prototype of its C function, its conversions in line, and decides
nothing at run time. There is one for each short signature of integers and doubles, with the GIL
and without; every other signature takes the loop in words.h.
"""

from __future__ import annotations

from itertools import product

ARITY = 3

# The one table. A result: its C type, and how it becomes a Python object ...
RESULTS = {
    "v": ("void", "Py_RETURN_NONE"),
    "i": ("int64_t", "return jt_from_signed(native, result)"),
    "u": ("uint64_t", "return jt_from_unsigned(native, result)"),
    "d": ("double", "return PyFloat_FromDouble(result)"),
}
# ... and a parameter: its C type, and the conversion that fills it. An integer that is narrower
# than its register is passed extended, which every callee accepts.
PARAMS = {"i": ("int64_t", "jt_int"), "d": ("double", "jt_double")}


def trampoline(result: str, params: str, nogil: str) -> str:
    c_type, give = RESULTS[result]
    types = ", ".join(PARAMS[letter][0] for letter in params) or "void"
    names = ", ".join(f"a{k}" for k in range(len(params)))
    receive = "" if c_type == "void" else f"{c_type} result = "
    lines = []
    if len(params) == 1:
        lines.append(
            f"static PyObject *jt_{result}_{params}{nogil}(PyObject *self, PyObject *value) {{"
        )
        values = ["value"]
    else:
        lines += [
            f"static PyObject *jt_{result}_{params}{nogil}(PyObject *self, PyObject *const *args,",
            "        Py_ssize_t given) {",
        ]
        values = [f"args[{k}]" for k in range(len(params))]
    lines.append("    const jt_native *native = JT_NATIVE(self);")
    if len(params) != 1:
        lines += [
            f"    if (!JT_LIKELY(given == {len(params)}))",
            "        return jt_wrong_count(native, given);",
        ]
    for k, letter in enumerate(params):
        held, convert = PARAMS[letter]
        lines += [
            f"    {held} a{k};",
            f"    if ({convert}(native, {k}, {values[k]}, &a{k}) < 0)",
            "        return NULL;",
        ]
    call = f"    {receive}(({c_type} (*)({types}))native->address)({names});"
    if nogil:
        lines += ["    PyThreadState *state = PyEval_SaveThread();", call,
                  "    PyEval_RestoreThread(state);"]  # fmt: skip
    else:
        lines.append(call)
    lines += [f"    {give};", "}", ""]
    return "\n".join(lines)


def header() -> str:
    """The text of trampolines.h."""
    rows = [
        (result, "".join(params), nogil)
        for arity in range(ARITY + 1)
        for result, params, nogil in product(RESULTS, product(PARAMS, repeat=arity), ("", "_nogil"))
    ]
    table = "\n".join(
        f'    {{"{result}{params}{nogil and "n"}", '
        f"(PyCFunction)(void (*)(void))jt_{result}_{params}{nogil}, "
        f"{'METH_O' if len(params) == 1 else 'METH_FASTCALL'}}},"
        for result, params, nogil in rows
    )
    return f"""\
/* Written by generate/trampolines.py; change that instead. */
#ifndef JUMPTABLE_TRAMPOLINES_H
#define JUMPTABLE_TRAMPOLINES_H

#include "words.h"

#define JT_EXACT_ARITY {ARITY}

{chr(10).join(trampoline(*row) for row in rows)}
static const struct {{
    const char *key; /* result, parameters, then 'n' if the GIL is released */
    PyCFunction trampoline;
    int flags;
}} jt_exact[] = {{
{table}
}};

#endif
"""
