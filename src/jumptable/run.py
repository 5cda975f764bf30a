"""``python -m jumptable run``: a program on the drop-ins, otherwise as ``python`` would run it.

What ``python`` sets up for a program is set up here: ``sys.argv``, ``sys.path[0]``, and a
``__main__`` of its own that stays in ``sys.modules`` for the life of the process, because pickle,
multiprocessing and threads look there, some of them after the program's last line. Exceptions and
exit statuses are left to the interpreter; only this package's frames are taken off the traceback.

One difference stays: this package, pluggy and what they import of the standard library are there
before the program. Files of the same names in the program's folder do not replace them.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from types import CodeType, ModuleType

__all__ = ["main"]

USAGE = 2

# The interpreter's options of one letter: those alone, and those with a value.
FLAGS, VALUED = frozenset("bBdEiIOPqRsSuvV?"), frozenset("WX")

HELP = """\
usage: jumptable run [-h] [-m MODULE | -c CODE | SCRIPT | -] ...

Run a program with compiled dispatch: that of pluggy's hook calls, in every plugin manager that it
makes, if pluggy is installed, and that of functools.singledispatch and singledispatchmethod.
Otherwise it runs as under 'python': the same sys.argv, sys.path, __main__ and exit status.

  -m MODULE   a module, as in 'python -m'
  -c CODE     a program text
  SCRIPT      a file, or a folder or a zip file with a __main__.py
  -           a program read from standard input
  -h, --help  show this and exit

All that follows belongs to the program. The interpreter's own options go before -m jumptable. New
interpreters that the program starts run as they always do; for those of pytest-xdist use 'pytest -p
jumptable.pytest'. Modules that are imported before the program, pluggy and some of the standard
library, are not replaced by files of the same names beside it, and the generic functions that they
made stay as they are.

examples:
  python -m jumptable run -m pytest -q tests
  python -W error -m jumptable run program.py
  python -m jumptable run -c 'import pluggy; print(pluggy.__version__)'
"""


def main(arguments: Sequence[str]) -> int:
    """Run the program that the words after ``run`` name; returns only when it came to its end."""
    kind, program, rest = "script", "", list(arguments)
    if rest and rest[0] == "--":
        del rest[0]
    elif rest and rest[0] in ("-h", "--help"):
        print(HELP, end="")
        return 0
    elif rest and rest[0][:2] in ("-m", "-c"):
        word = rest.pop(0)
        kind = word[:2]
        if len(word) > 2:
            program = word[2:]
        elif rest:
            program = rest.pop(0)
        else:
            what = "the name of a module" if kind == "-m" else "a program text"
            return _refuse(f"{kind} needs {what} after it")
    elif rest and rest[0].startswith("-") and rest[0] != "-":
        return _refuse_option(rest)
    if kind == "script":
        if not rest:
            return _refuse("no program: expected -m MODULE, -c CODE, a script, or '-'")
        program = rest.pop(0)
        kind = "-" if program == "-" else "script"
    _set_first_path_aside()
    if not _install():
        return USAGE
    sys.argv = [program if kind == "script" else kind, *rest]
    run = {"-m": _run_module, "-c": _run_code, "-": _run_stdin, "script": _run_script}[kind]
    return run(program)


def _install() -> bool:
    from . import functools

    functools.install()
    try:
        from . import pluggy
    except ModuleNotFoundError as error:
        if error.name != "pluggy":
            raise
        return True  # so the program has no hooks
    except ImportError as error:  # a pluggy that lacks what is needed of it
        if error.name != "pluggy":
            raise
        _refuse(str(error))
        return False
    pluggy.install()
    return True


def _run_module(name: str) -> int:
    import runpy

    _set_first_path(_working_folder())
    _new_main()
    # What 'python -m' itself calls, with the same messages for what is not there.
    return _execute(lambda: runpy._run_module_as_main(name))  # type: ignore[attr-defined]


def _run_code(text: str) -> int:
    if sys.version_info >= (3, 13):  # from there on tracebacks show the lines
        import linecache

        linecache.cache["<string>"] = (len(text), None, text.splitlines(True), "<string>")
    _set_first_path("")
    namespace = _new_main().__dict__
    return _execute(lambda: exec(_compile(text, "<string>"), namespace))


def _run_stdin(_: str) -> int:
    if sys.stdin is None:
        return _refuse("cannot read a program from standard input: it is closed")
    if sys.stdin.isatty():
        import code

        _set_first_path("")
        namespace = _new_main().__dict__
        return _execute(lambda: code.interact(local=namespace, exitmsg=""))
    _set_first_path("")
    namespace = _new_main().__dict__
    namespace.update(__file__="<stdin>", __cached__=None)
    return _execute(lambda: exec(_compile(sys.stdin.buffer.read(), "<stdin>"), namespace))


def _run_script(name: str) -> int:
    import pkgutil
    import runpy

    # Without a working folder absolute names still work, and others are told to be nowhere.
    path = name if os.path.isabs(name) else os.path.join(_working_folder() or "", name)
    if pkgutil.get_importer(path) is not None:  # a folder or a zip file
        _set_first_path(path, insert=not _has_first_path())
        _new_main()
        return _execute(
            lambda: runpy._run_module_as_main("__main__", False)  # type: ignore[attr-defined]
        )
    try:
        with io.open_code(path) as file:
            content = file.read()
    except OSError as error:
        return _refuse(f"can't open file {path!r}: [Errno {error.errno}] {error.strerror}")
    _set_first_path(os.path.dirname(os.path.realpath(path)))
    namespace = _new_main(path).__dict__
    return _execute(lambda: exec(_compile(content, path), namespace))


def _compile(source: str | bytes, path: str) -> CodeType:
    from importlib.util import MAGIC_NUMBER

    if isinstance(source, bytes) and source[: len(MAGIC_NUMBER)] == MAGIC_NUMBER:
        import marshal

        code: CodeType = marshal.loads(source[16:])
        return code
    return compile(source, path, "exec", dont_inherit=True)


def _working_folder() -> str | None:
    """None when it has been deleted."""
    try:
        return os.getcwd()
    except OSError:
        return None


def _has_first_path() -> bool:
    """Whether the interpreter puts the place of its own program in front of ``sys.path``."""
    return not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))


def _set_first_path_aside() -> None:
    """Let no file in the working folder stand in for a module that is imported from here.

    At the end, and not away: pluggy may be nowhere but there, next to this package.
    """
    if not _has_first_path():
        return
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    by_module = spec is not None and spec.name != "__main__"  # which is that of a folder or zip
    # 'python -m' puts nothing in front when there is no working folder.
    sys.path.append("" if by_module and _working_folder() is None else sys.path.pop(0))


def _set_first_path(place: str | None, insert: bool = False) -> None:
    """Instead of what was set aside; what is imported from here on is what the program finds."""
    if _has_first_path():
        del sys.path[-1]
        insert = place is not None
    if insert:
        sys.path.insert(0, place or "")


def _new_main(path: str | None = None) -> ModuleType:
    import builtins
    from importlib.machinery import BuiltinImporter, SourceFileLoader, SourcelessFileLoader

    module = ModuleType("__main__")
    names = module.__dict__
    names["__builtins__"] = builtins
    names["__loader__"] = BuiltinImporter
    if sys.version_info < (3, 14):
        names["__annotations__"] = {}
    if path is not None:
        loader = SourcelessFileLoader if path.endswith(".pyc") else SourceFileLoader
        names.update(__file__=path, __cached__=None, __loader__=loader("__main__", path))
    sys.modules["__main__"] = module
    return module


def _execute(program: Callable[[], object]) -> int:
    try:
        program()
    except SystemExit:
        raise
    except BaseException as error:
        _hide_frames(error)
        raise
    return 0


def _hide_frames(error: BaseException) -> None:
    """Have the interpreter show ``error`` from the program's first frame on."""
    show = getattr(sys, "excepthook", None)
    if show is None:
        return
    # This file's: _execute and the lambda. Code that does not compile has _compile instead.
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next

    def show_program(kind: type[BaseException], value: BaseException, whole: object) -> None:
        if value is error:
            show(kind, value.with_traceback(traceback), traceback)
        else:
            show(kind, value, whole)

    sys.excepthook = show_program


def _refuse_option(words: Sequence[str]) -> int:
    word = words[0]
    if word[1:2] in VALUED:
        shown = " ".join(words[: 2 if len(word) == 2 else 1])
    else:
        shown = word.rstrip("mc")  # as in -um MODULE
        if not FLAGS.issuperset(shown[1:]):
            return _refuse(f"unknown option {word!r}; options of the program go after the program")
    return _refuse(
        f"{word!r} is an option of the interpreter, and goes before -m jumptable: "
        f"python {shown} -m jumptable run ..."
    )


def _refuse(reason: str) -> int:
    print(f"jumptable run: {reason}", file=sys.stderr)
    return USAGE
