/* A constructor that opens plugins through Python: its own library, another, and a module. */
#include <Python.h>

int constructed;

__attribute__((constructor)) static void construct(void) {
    constructed++;
    PyRun_SimpleString(
        "import os, sys, jumptable\n"
        "sys.reopened = [jumptable.open(os.environ[name])\n"
        "                for name in ('OWN', 'OTHER')] + [jumptable.open('json')]\n");
}
