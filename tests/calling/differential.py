"""One random hook case on a stock manager and on an accelerated one: what a user can see of both.

``python -m tests.calling.differential SEED`` runs one case again and shows it, as small as it
can be made; ``… FIRST COUNT`` runs a range. A run's log holds, in order: each implementation's
start, its arguments and the exception that is being handled; what wrappers receive; warnings with
the place they are attributed to; results; exceptions with their text, causes, contexts and the
user's own frames; what monitoring sees; and in the end what is registered.
"""

from __future__ import annotations

import builtins
import copy
import gc
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pluggy

from tests.calling.hook_cases import Action, Case, Impl, Spec, describe, generate, shrink
from tests.calling.hook_log import CustomError, UnprintableError, plain, summary
from tests.calling.hook_making import PROJECT, Making

Make = Callable[[str], pluggy.PluginManager]
Accelerate = Callable[[pluggy.PluginManager], None]

DEEPEST, MOST_CALLS = 3, 60


def is_closing(error: BaseException | None) -> bool:
    return isinstance(error, GeneratorExit) and not error.args


class Name(str):
    """A keyword's name that is no exact ``str``."""


class Lookalike:
    """Has a generator's methods and is none."""

    def __init__(self, run: Run, impl: Impl) -> None:
        self.run, self.impl = run, impl

    def __next__(self) -> object:
        self.run.note(self.impl, "next")
        return 1

    def send(self, value: object) -> object:
        self.run.note(self.impl, "send", plain(value))
        raise StopIteration(plain(value))

    def throw(self, error: BaseException) -> object:
        self.run.note(self.impl, "throw", plain(error))
        raise error

    def close(self) -> None:
        self.run.note(self.impl, "close")


class OwnHookexec(pluggy.PluginManager):
    """A manager whose author put a method of his own between the callers and the call."""

    log: list[Any]

    def _hookexec(self, hook_name: Any, methods: Any, kwargs: Any, firstresult: Any) -> Any:
        self.log.append(("own hookexec", hook_name, [each.plugin_name for each in methods]))
        return super()._hookexec(hook_name, methods, kwargs, firstresult)


class Run(Making):
    """The case on one manager. Everything random was decided when the case was made."""

    def __init__(self, case: Case, make: Make, accelerate: Accelerate) -> None:
        self.case, self.accelerate = case, accelerate
        self.log: list[Any] = []
        self.closings: list[str] = []
        self.calls = self.depth = 0
        self.once = CustomError("always the same one")
        self.undos: list[Callable[[], None]] = []
        self.old: dict[str, Any] = {}
        self.subsets: dict[str, Any] = {}
        self.values: dict[str, Any] = {}
        self.extras = {impl.label: self.function(impl) for impl in case.extras}
        if case.manager == "own _hookexec":
            self.manager: Any = OwnHookexec(PROJECT)
            self.manager.log = self.log
        else:
            self.manager = make(PROJECT)
        self.plugins = {plugin.name: self.plugin(plugin) for plugin in case.plugins}
        self.shapes = {plugin.name: plugin for plugin in case.plugins}
        self.late = {spec.hook: spec for spec in case.late_specs}

    # What the implementations' source calls

    def enter(self, impl: Impl, args: tuple[Any, ...]) -> object:
        handled = sys.exc_info()[0]
        self.log.append((impl.label, plain(args), handled and handled.__name__))
        for action in impl.actions:
            self.perform(action)
        if impl.raises:
            raise self.error(impl, impl.raises)
        return self.disguised(impl) if impl.shape == "not a generator" else self.value(impl)

    def leave(self, impl: Impl, received: object) -> object:
        if self.closing():
            self.closed(impl)
            return None
        handled = sys.exc_info()[0]
        self.log.append((impl.label, "after", plain(received), handled and handled.__name__))
        if isinstance(received, BaseException):
            self.log.append(summary(received))
        for action in impl.after:
            self.perform(action)
        if impl.raises_after:
            raise self.error(impl, impl.raises_after)
        return self.value(impl)

    def value(self, impl: Impl) -> Any:
        # The case itself stays as it is, also when somebody appends to what was returned.
        return self.values.setdefault(impl.label, copy.copy(impl.value))

    def note(self, impl: Impl, *what: object) -> None:
        if self.closing():
            self.closed(impl)
        else:
            self.log.append((impl.label, *what))

    def seen(self, outcome: Any) -> Any:
        # pluggy sends this to an old-style wrapper that it gave up, whenever that is collected:
        # not compared, nor what comes of it.
        if is_closing(outcome.exception):
            raise GeneratorExit
        return outcome

    def closing(self) -> bool:
        """Whether a generator is being closed; a GeneratorExit that a case raises has a text."""
        return is_closing(sys.exc_info()[1])

    def closed(self, impl: Impl) -> None:
        # Apart: a generator that was given up is closed when the last frame that holds it goes.
        self.closings.append(impl.label)

    @contextmanager
    def suppressing(self, impl: Impl) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.leave(impl, error)

    def error(self, impl: Impl, kind: str = "") -> BaseException:
        kind, text = kind or impl.error, f"{kind} of {impl.label}"
        match kind:
            case "Caused" | "CausedByStop":
                error: BaseException = CustomError(text)
                error.__cause__ = KeyError("a") if kind == "Caused" else StopIteration(1)
                return error
            case "Once":
                return self.once
            case "Unprintable":
                return UnprintableError()
            case "Group" if sys.version_info >= (3, 11):
                return builtins.ExceptionGroup(text, [ValueError(1), KeyError(2)])
            case "Noted" if sys.version_info >= (3, 11):
                error = CustomError(text)
                error.add_note("a note")
                return error
            case "Group" | "Noted":
                return CustomError(text)
            case "HookCallError":
                return pluggy.HookCallError(text)
        made: BaseException = getattr(builtins, kind)(text)
        return made

    def disguised(self, impl: Impl) -> object:
        def generator() -> Iterator[int]:
            self.note(impl, "generating")
            yield 1

        async def coroutine() -> None: ...

        match impl.value:
            case "int":
                return 3
            case "list":
                return [1, 2]
            case "iterator":
                return iter([1, 2])
            case "object":
                return Lookalike(self, impl)
            case "generator":
                return generator()
            case "used up":
                used = generator()
                return [*used] and used
            case "coroutine":
                waiting = coroutine()
                waiting.close()
                return waiting
        return None

    # What the host does, and implementations on the way

    def perform(self, action: Action) -> None:
        kind, *rest = action
        if kind not in ("do", "caught"):
            try:
                getattr(self, "do_" + kind)(*rest)
            except BaseException as error:  # registering calls historic implementations
                self.log.append((action[0], summary(error)))
            return
        self.calls += 1
        if self.calls > MOST_CALLS or self.depth >= DEEPEST:
            self.log.append("no further")
            return
        self.depth += 1
        try:
            self.log.append(("result", plain(self.call(*rest[0]))))
        except BaseException as error:
            self.log.append(("raised", summary(error)))
            if kind == "do" and self.depth > 1:
                raise
        finally:
            self.depth -= 1

    def call(self, kind: str, hook: str, given: Any, more: Any = None) -> object:
        caller = getattr(self.manager.hook, hook, None)
        if caller is None:
            return "no such hook"
        given = copy.deepcopy(given)
        match kind:
            case "call":
                return caller(**given)
            case "fresh names":
                names = {"".join([name[:1], name[1:]]): value for name, value in given.items()}
                return caller(**{Name(name): value for name, value in names.items()})
            case "positional":
                return caller(*range(given), b=2)
            case "old caller":
                return self.old.get(hook, caller)(**given)
            case "while handling":
                try:
                    raise CustomError("handled meanwhile")
                except CustomError:
                    return caller(**given)
            case "many":
                return [caller(**given) for _ in range(3)][-1]
            case "kept subset":
                kept = self.subsets.get(hook)
                if kept is None:
                    some = [*self.plugins.values()][:1]
                    kept = self.subsets[hook] = self.manager.subset_hook_caller(hook, some)
                return kept(**given)
            case "subset":
                left_out = [self.plugins[name] for name in more]
                subset = self.manager.subset_hook_caller(hook, left_out)
                return [repr(subset).count(hook), subset(**given)]
            case "extra":
                return caller.call_extra([self.extras[label] for label in more], given)
            case "historic":
                return caller.call_historic(self.callback(hook, more), given)
        raise AssertionError(kind)

    def callback(self, hook: str, kind: str) -> Callable[[object], None] | None:
        def callback(result: object) -> None:
            self.log.append(("callback", plain(result)))
            if kind == "raises":
                raise CustomError("from the callback")
            if kind == "calls":
                self.perform(["do", ["call", self.case.program and hook, {"a": 1}]])

        return None if kind == "none" else callback

    def do_accelerate(self) -> None:
        self.old = self.old or dict(vars(self.manager.hook))
        self.accelerate(self.manager)

    def do_register(self, name: str) -> None:
        if self.shapes[name].kind == "added" and not self.manager.is_registered(self.plugins[name]):
            self.add(self.shapes[name])
        self.log.append(("registered", self.manager.register(self.plugins[name], name)))

    def do_unregister(self, name: str) -> None:
        self.manager.unregister(self.plugins[name], name)

    def do_block(self, name: str) -> None:
        self.manager.set_blocked(name)

    def do_specify(self, hook: str) -> None:
        self.specify(self.late.get(hook) or Spec(hook, "a, b, c, d"))

    def do_hookimpls(self, hook: str, operation: str) -> None:
        impls = getattr(self.manager.hook, hook)._hookimpls
        match operation:
            case "reverse":
                impls.reverse()
            case "pop":
                impls.pop()
            case "repeat":
                impls.append(impls[0])
            case "swap":
                impls[0], impls[-1] = impls[-1], impls[0]
            case "clear":
                impls.clear()
            case "rotate":
                impls[:] = impls[1:] + impls[:1]
            case "same":
                impls[:] = impls.copy()
            case "move first":
                impls.insert(0, impls.pop())

    def do_function(self, hook: str, index: int, parameters: str) -> None:
        impls = getattr(self.manager.hook, hook)._hookimpls
        changed = impls[index % len(impls)]
        new = Impl(f"{changed.plugin_name}_new", hook, holder="function", value="new")
        changed.function = self.function(new, parameters)

    def do_field(self, hook: str, index: int, of: str, field: str, value: Any) -> None:
        caller = getattr(self.manager.hook, hook)
        value = copy.copy(value)
        if field == "_hookimpls":
            value = caller._hookimpls[::-1]
        elif field == "_hookexec":
            stock = caller._hookexec

            def value(*args: Any) -> Any:
                self.log.append("another hookexec")
                return stock(*args)

        impls = caller._hookimpls
        setattr(caller if of == "caller" else impls[index % len(impls)], field, value)

    def do_monitor(self, kind: str) -> None:
        def before(name: str, impls: Any, kwargs: Any) -> None:
            names = [impl.plugin_name for impl in impls]
            self.log.append(("before", name, names, plain(dict(kwargs))))
            if kind == "raises before":
                raise CustomError("from monitoring")

        def after(outcome: Any, name: str, impls: Any, kwargs: Any) -> None:
            self.log.append(("after", name, plain(outcome), len(impls), plain(dict(kwargs))))
            if kind == "raises after":
                raise CustomError("from monitoring")

        self.undos.append(self.manager.add_hookcall_monitoring(before, after))

    def do_trace(self) -> None:
        written: Callable[[str], None] = lambda text: self.log.append(("trace", text))  # noqa: E731
        self.manager.trace.root.setwriter(written)
        self.undos.append(self.manager.enable_tracing())

    def do_unmonitor(self) -> None:
        self.undos.pop()()

    def execute(self) -> list[Any]:
        def show(message: Any, category: Any, file: str, line: int, *rest: Any) -> None:
            if "\nGeneratorExit: \n" not in str(message):
                self.log.append(("warning", category.__name__, str(message), file, line))

        with warnings.catch_warnings():
            warnings.simplefilter(self.case.filter)  # type: ignore[arg-type]
            warnings.showwarning = show  # type: ignore[assignment]
            for spec in self.case.specs:
                try:
                    self.specify(spec)
                except Warning as error:
                    self.log.append(summary(error))
            for action in self.case.program:
                self.perform(action)
            self.log.append(self.state())
        return self.log

    def state(self) -> object:
        hooks = {
            name: (
                [(impl.plugin_name, impl.wrapper) for impl in caller.get_hookimpls()],
                caller.has_spec(),
                caller.is_historic(),
                repr(caller),
                isinstance(caller, pluggy.HookCaller),
            )
            for name, caller in vars(self.manager.hook).items()
        }
        return hooks, [name for name, _ in self.manager.list_name_plugin()]


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Collections happen where the runs ask for them, and look only at what the runs made.

    Generators that complain when they are collected would otherwise be heard.
    """
    gc.collect()
    gc.freeze()
    was_enabled, hook = gc.isenabled(), sys.unraisablehook
    gc.disable()
    sys.unraisablehook = lambda problem: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                yield
            finally:
                gc.collect()
    finally:
        sys.unraisablehook = hook
        gc.unfreeze()
        if was_enabled:
            gc.enable()


def difference(case: Case, make: Make, accelerate: Accelerate) -> str | None:
    """What differs first between the case on a stock manager and on the other one."""
    runs = [Run(case, pluggy.PluginManager, lambda manager: None), Run(case, make, accelerate)]
    stock, other = (run.execute() for run in runs)
    closings = [run.closings for run in runs]
    del runs
    if sorted(closings[0]) != sorted(closings[1]):
        gc.collect()  # frames in traceback cycles hold generators that were given up
    stock, other = (
        [*log, ("closed", sorted(closed))]
        for log, closed in zip([stock, other], closings, strict=True)
    )
    if stock == other:
        return None
    for index, (one, two) in enumerate(zip([*stock, "the end"], [*other, "the end"], strict=False)):
        if one != two:
            before = "\n".join(f"    {each}" for each in stock[max(0, index - 3) : index])
            return f"after\n{before}\n  stock: {one}\n  other: {two}"
    raise AssertionError("the logs are unequal and no entry of them is")


def check(first: int, count: int, make: Make, accelerate: Accelerate) -> None:
    """Raise AssertionError with a readable, small case for the first seed that differs."""
    with quiet_collector():
        for seed in range(first, first + count):
            if difference(generate(seed), make, accelerate) is not None:
                raise AssertionError(explain(seed, make, accelerate))
            if seed % 50 == 0:
                gc.collect()


def explain(seed: int, make: Make, accelerate: Accelerate) -> str:
    case = generate(seed)
    small = shrink(case, lambda each: difference(each, make, accelerate) is not None)
    return (
        f"seed {seed} differs (rerun: python -m tests.calling.differential {seed})\n"
        f"{describe(small)}\n{difference(small, make, accelerate)}"
    )


def main(first: int, count: int = 1) -> None:
    from jumptable.pluggy import PluginManager, accelerate

    if count == 1:
        print(describe(generate(first)))
    check(first, count, PluginManager, accelerate)
    check(first, count, pluggy.PluginManager, accelerate)
    print("no difference")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
