"""Write trampolines.h: run by setup.py when the package is built.

A trampoline has the exact prototype of its C function, its conversions in line, and decides
nothing at run time. There is one for each short signature, with the GIL and without; every other
signature takes the loop in words.h, which costs some ten nanoseconds more.
"""

from __future__ import annotations

from itertools import product

# The one table. A parameter: what holds it, and the conversion that fills it. An integer that is
# narrower than its register is passed extended, which every callee accepts.
PARAMS = {
    "i": ("int64_t", "jt_int"),
    "d": ("double", "jt_double"),
    "f": ("float", "jt_float"),
    "b": ("int64_t", "jt_bool"),
    "s": ("void *", "jt_string"),
    "p": ("void *", "jt_pointer"),
}
# A result: its C type, and the Python object that it becomes. "w" is whatever else fits a word.
RESULTS = {
    "v": ("void", "Py_NewRef(Py_None)"),
    "i": ("int64_t", "jt_from_signed(native, result)"),
    "u": ("uint64_t", "jt_from_unsigned(native, result)"),
    "d": ("double", "PyFloat_FromDouble(result)"),
    "f": ("float", "PyFloat_FromDouble((double)result)"),
    "w": ("uint64_t", "jt_from_word(native, result)"),
}
# Which combinations: all up to two; of integers and doubles up to three; of one kind up to what
# fits the registers.
ARITY = 2
NUMBERS, NUMBERS_ARITY = "id", 3
ALIKE = {"i": 6, "d": 8, "f": 8}


def patterns() -> list[str]:
    found = [
        *(letters for arity in range(ARITY + 1) for letters in product(PARAMS, repeat=arity)),
        *product(NUMBERS, repeat=NUMBERS_ARITY),
        *(letter * arity for letter, most in ALIKE.items() for arity in range(most + 1)),
    ]
    return list(dict.fromkeys(map("".join, found)))


def results(params: str) -> str:
    if not set(params) <= set(NUMBERS):
        return "dfw"  # the conversions cost more than telling other results apart
    return "viudfw" if len(params) <= ARITY else "viud"


def trampoline(result: str, params: str, nogil: str) -> str:
    c_type, made = RESULTS[result]
    types = ", ".join(PARAMS[letter][0] for letter in params) or "void"
    names = ", ".join(f"a{k}" for k in range(len(params)))
    buffers = params.count("p")
    fail = "goto done" if buffers else "return NULL"
    one = len(params) == 1

    lines = [f"static PyObject *jt_{result}_{params}{nogil}(PyObject *self, "]
    lines[0] += "PyObject *value) {" if one else "PyObject *const *args, Py_ssize_t given) {"
    lines.append("    const jt_native *native = JT_NATIVE(self);")
    if not one:
        lines += [
            f"    if (!JT_LIKELY(given == {len(params)}))",
            "        return jt_wrong_count(native, given);",
        ]
    if buffers:
        lines += [
            f"    Py_buffer buffers[{buffers}];",
            "    jt_views held = {buffers, 0};",
            "    PyObject *object = NULL;",
        ]
    lines += [f"    {PARAMS[letter][0]} a{k};" for k, letter in enumerate(params)]
    for k, letter in enumerate(params):
        value = "value" if one else f"args[{k}]"
        more = ", &held" if letter == "p" else ""
        lines += [
            f"    if ({PARAMS[letter][1]}(native, {k}, {value}, &a{k}{more}) < 0)",
            f"        {fail};",
        ]
    call = f"(({c_type} (*)({types}))native->address)({names});"
    if c_type != "void":
        lines.append(f"    {c_type} result;")
        call = f"result = {call}"
    if nogil:
        call = f"Py_BEGIN_ALLOW_THREADS {call} Py_END_ALLOW_THREADS"
    lines += [f"    {call}", "    if (jt_raised(native))", f"        {fail};"]
    if buffers:
        # Before the buffers go: a returned pointer may point into one of them.
        lines += [f"    object = {made};", "done:", "    jt_release(&held);", "    return object;"]
    else:
        lines.append(f"    return {made};")
    return "\n".join([*lines, "}", ""])


def header() -> str:
    """The text of trampolines.h."""
    rows = [
        (result, params, nogil)
        for params in patterns()
        for result, nogil in product(results(params), ("", "_nogil"))
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

#define JT_EXACT_ARITY {max(map(len, patterns()))}

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
