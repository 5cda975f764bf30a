"""Random hook set-ups: what a case is, how a seed makes one, how a failing one is made smaller.

A case is plain data. The host's program and what each implementation does on the way are both
lists of actions, so that everything that the host can do also happens from inside a call.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from tests.calling.hook_sources import OLD_WRAPPERS, PLAIN, WRAPPERS

HOOKS = ["first", "second", "third"]
ERRORS = [
    *("ValueError", "KeyError", "TypeError", "RuntimeError", "HookCallError"),
    *("StopIteration", "StopIteration", "StopIteration", "GeneratorExit"),
    *("StopAsyncIteration", "GeneratorExit", "KeyboardInterrupt", "SystemExit", "AssertionError"),
    *("Caused", "CausedByStop", "Once", "Unprintable", "Group", "Noted"),
]
VALUES: list[Any] = [None, None, None, 0, 1, 7, False, "", "text", [], [1, 2], (), {"a": 1}]
ARGUMENTS: list[Any] = [None, 1, 2, "x", [3], {"k": 4}]
# What a spec and an implementation may declare; the hook's callers pass any of a to d.
SPEC_PARAMETERS = [
    *("a, b, c, d", "a, b, c, d=40", "a, b, c=30, d=40", "a=1, b=2, c=3, d=4", "a, b, c"),
    *("a, b", "a", "", "a, b=10", "b, c=30, d=40", "a, *, k=1"),
]
IMPL_PARAMETERS = [
    *("", "", "a", "a", "b", "a, b", "b, a", "a, b, c", "c", "a, *rest", "a, *, k=5"),
    *("a, b=20", "a=21", "b=22, a=23", "c=24, d=25", "a, /, b=26", "a, d=None", "a, **rest"),
]
OPERATIONS = ["reverse", "pop", "repeat", "swap", "clear", "rotate", "same", "move first"]
# Fields that somebody sets later: of an implementation, or of the hook's caller. A compiled call
# does not look again at what is worked out once, an implementation's names of arguments and kind
# of wrapper, the spec's names and options: nobody is known to change these.
FIELDS: list[tuple[str, str, Any]] = [
    *[("impl", "function", None), ("impl", "function", 3)],
    *[("impl", "tryfirst", True), ("impl", "plugin_name", "another")],
    *[("caller", "spec", None), ("caller", "_call_history", [])],
    *[("caller", "_hookimpls", "new"), ("caller", "_hookexec", "new")],
]
# How a callable that is no plain method looks; pluggy takes these in call_extra, and directly.
ODD = ["function", "partial", "callable", "wrapped", "builtin", "class", "bound"]
# What a wrapper that is no generator function returns.
NOT_GENERATORS = ["None", "int", "list", "iterator", "object", "generator", "used up", "coroutine"]
# What shrinking sets back to its default.
SIMPLER = ["raises", "raises_after", "firstresult", "historic", "filter"]

Action = list[Any]


@dataclass
class Impl:
    label: str
    hook: str
    style: str = "plain"  # or "wrapper", "hookwrapper"
    shape: str = "plain"
    holder: str = "method"  # or "static", "class", "attribute", or one of ODD
    parameters: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list)  # before the yield, or all there is
    after: list[Action] = field(default_factory=list)  # after the yield
    value: Any = None
    error: str = "ValueError"  # what "error" in the shapes raises
    raises: str = ""  # at the end of the actions
    raises_after: str = ""


@dataclass
class Plugin:
    name: str
    kind: str  # "instance", "class", "module", "added": not through register()
    impls: list[Impl] = field(default_factory=list)


@dataclass
class Spec:
    hook: str
    parameters: str
    firstresult: bool = False
    historic: bool = False
    warns: bool = False
    warns_on_a: bool = False
    static: bool = False


@dataclass
class Case:
    seed: int
    manager: str = "plain"  # or "own _hookexec"
    filter: str = "always"  # or "error"
    specs: list[Spec] = field(default_factory=list)
    late_specs: list[Spec] = field(default_factory=list)
    plugins: list[Plugin] = field(default_factory=list)
    extras: list[Impl] = field(default_factory=list)
    program: list[Action] = field(default_factory=list)


def generate(seed: int) -> Case:
    return _Generator(seed).case()


class _Generator:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.seed = seed
        self.names: list[str] = []
        self.hooks: list[str] = []
        self.extras: list[Impl] = []
        # Some cases are tame, so that what is rare also happens without all else going wrong.
        self.wildness = self.rng.choice([0.0, 0.1, 0.2, 0.5])
        self.failing = self.rng.choice([0.0, 0.05, 0.15, 0.3])
        self.wrapping = self.rng.choice([0.3, 0.6, 0.8])
        self.historic: set[str] = set()

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def case(self) -> Case:
        rng = self.rng
        self.hooks = HOOKS[: rng.choice([1, 1, 1, 2, 3])]
        self.names = [f"p{index}" for index in range(rng.choice([1, 2, 2, 3, 3, 4, 5, 6]))]
        self.extras = [
            self.impl(f"extra{index}", rng.choice(self.hooks), rng.choice(ODD))
            for index in range(rng.randrange(3))
        ]
        case = Case(self.seed)
        if self.chance(0.03):
            case.manager = "own _hookexec"
        if self.chance(0.05):
            case.filter = "error"
        for hook in self.hooks:
            if self.chance(0.7):
                (case.specs if self.chance(0.8) else case.late_specs).append(self.spec(hook))
        case.plugins = [self.plugin(name) for name in self.names]
        case.extras = self.extras
        registered = [["register", name] for name in self.names if not self.chance(0.1)]
        rng.shuffle(registered)
        steps = [self.action(0) for _ in range(rng.randint(2, 8))]
        case.program = [*registered, ["do", ["call", rng.choice(self.hooks), self.call()]], *steps]
        case.program.insert(rng.choice([0, 0, rng.randint(0, len(case.program))]), ["accelerate"])
        return case

    def spec(self, hook: str) -> Spec:
        tame = not self.chance(0.2 + self.wildness)
        spec = Spec(hook, self.rng.choice(SPEC_PARAMETERS[:4] if tame else SPEC_PARAMETERS))
        spec.firstresult = self.chance(0.3)
        spec.historic = not spec.firstresult and self.chance(0.1)
        if spec.historic:
            self.historic.add(hook)
        spec.warns = self.chance(0.05)
        spec.warns_on_a = self.chance(0.05)
        spec.static = self.chance(0.1)
        return spec

    def plugin(self, name: str) -> Plugin:
        kind = self.rng.choice(["instance", "instance", "class", "module", "added"])
        plugin = Plugin(name, kind)
        for hook in self.hooks:
            if self.chance(0.75):
                label = f"{name}_{hook}"
                holder = {
                    "instance": self.rng.choice(["method", "method", "static", "class"]),
                    "class": self.rng.choice(["static", "class"]),
                    "module": "attribute",
                    "added": self.rng.choice(ODD),
                }[kind]
                plugin.impls.append(self.impl(label, hook, holder))
        return plugin

    def impl(self, label: str, hook: str, holder: str) -> Impl:
        rng = self.rng
        impl = Impl(label, hook, holder=holder)
        impl.parameters = rng.choice(IMPL_PARAMETERS)
        # What a tame call passes is there.
        if self.chance(1 - self.wildness):
            impl.parameters = rng.choice(IMPL_PARAMETERS[:5])
        wraps = self.chance(self.wrapping)
        impl.style = rng.choice(["wrapper", "wrapper", "hookwrapper"]) if wraps else "plain"
        if label.startswith("extra"):
            impl.style = "plain"
        shapes = {"plain": PLAIN, "wrapper": WRAPPERS, "hookwrapper": OLD_WRAPPERS}[impl.style]
        tame = not self.chance(0.2 + self.wildness)
        # The shapes stand in their tables from well-behaved to not.
        impl.shape = rng.choice([*shapes][:6] if tame else [*shapes])
        if impl.style != "plain" and self.chance(0.05):
            impl.shape = "not a generator"
            impl.value = rng.choice(NOT_GENERATORS)
        else:
            impl.value = rng.choice(VALUES)
        if self.chance(0.4):
            impl.options[rng.choice(["tryfirst", "trylast"])] = True
        if self.chance(0.1):
            impl.options["optionalhook"] = True
        if self.chance(0.1):
            impl.options["specname"] = rng.choice(self.hooks)
        impl.error = rng.choice(ERRORS)
        if self.chance(self.failing):
            impl.raises = rng.choice(ERRORS)
        if self.chance(self.failing / 2):
            impl.raises_after = rng.choice(ERRORS)
        while self.chance(self.wildness / 2):
            where = impl.actions if self.chance(0.6) else impl.after
            where.append(self.action(1))
        return impl

    def call(self) -> dict[str, Any]:
        """What a call passes: mostly everything, sometimes too little or too much."""
        rng = self.rng
        names = ["a", "b", "c", "d"]
        if self.chance(self.wildness):
            names = [name for name in names if self.chance(0.7)]
        if self.chance(0.2):
            names += ["k", "unknown"]
        rng.shuffle(names)
        if self.chance(0.01):
            names.append("self")
        return {name: rng.choice(ARGUMENTS) for name in names}

    def action(self, depth: int) -> Action:
        rng = self.rng
        hook, name = rng.choice(self.hooks), rng.choice(self.names)
        caught = depth > 0 and self.chance(0.5)
        kind = rng.choices(
            [
                *("call", "caught call", "fresh names", "positional", "old caller", "subset"),
                *("kept subset", "extra", "historic", "register", "unregister", "block"),
                *("hookimpls", "function", "monitor", "unmonitor", "trace", "specify"),
                *("accelerate", "while handling", "many", "field"),
            ],
            [12, 4, 2, 1, 3, 3, 2, 3, 3, 3, 4, 1, 3, 2, 2, 2, 1, 2, 1, 2, 4, 2],
        )[0]
        if hook in self.historic and kind in ("call", "caught call", "many", "extra"):
            kind = "historic"
        elif kind == "historic" and hook not in self.historic and self.chance(0.8):
            kind = "call"
        match kind:
            case "call" | "old caller" | "kept subset" | "fresh names" | "while handling" | "many":
                return ["caught" if caught else "do", [kind, hook, self.call()]]
            case "caught call":
                return ["caught", ["call", hook, self.call()]]
            case "positional":
                return ["caught" if caught else "do", [kind, hook, rng.randint(1, 2)]]
            case "subset":
                names = rng.sample(self.names, rng.randint(1, len(self.names)))
                return ["caught" if caught else "do", [kind, hook, self.call(), names]]
            case "extra":
                labels = [impl.label for impl in self.extras if self.chance(0.8)]
                return ["caught" if caught else "do", [kind, hook, self.call(), labels]]
            case "historic":
                callback = rng.choice(["none", "logs", "raises", "calls"])
                return ["caught" if caught else "do", [kind, hook, self.call(), callback]]
            case "hookimpls":
                return [kind, hook, rng.choice(OPERATIONS)]
            case "function":
                return [kind, hook, rng.randrange(4), rng.choice(IMPL_PARAMETERS[:4])]
            case "monitor":
                return [kind, rng.choice(["quiet", "quiet", "raises before", "raises after"])]
            case "field":
                return [kind, hook, rng.randrange(4), *rng.choice(FIELDS)]
            case "register" | "unregister" | "block":
                return [kind, name]
            case "specify":
                return [kind, hook]
        return [kind]


def describe(case: Case) -> str:
    """The case as text that a person reads, defaults left out."""
    lines = [f"seed {case.seed}, manager: {case.manager}, warnings: {case.filter}"]
    lines += [f"  spec {_shown(spec)}" for spec in case.specs]
    lines += [f"  spec, when asked for: {_shown(spec)}" for spec in case.late_specs]
    for plugin in case.plugins:
        lines.append(f"  plugin {plugin.name} ({plugin.kind})")
        lines += [f"    {_shown(impl)}" for impl in plugin.impls]
    lines += [f"  extra {_shown(impl)}" for impl in case.extras]
    lines += [f"  > {action}" for action in case.program]
    return "\n".join(lines)


def _shown(item: Any) -> str:
    defaults = type(item)(*[""] * 2)
    shown = [
        f"{each.name}={getattr(item, each.name)!r}"
        for each in fields(item)
        if getattr(item, each.name) != getattr(defaults, each.name)
    ]
    return " ".join(shown)


def shrink(case: Case, fails: Callable[[Case], bool], attempts: int = 2000) -> Case:
    """The same failure from less: whatever can be left out, or made its default, is."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(case):
            attempts -= 1
            if attempts < 0:
                return case
            if fails(candidate):
                case, smaller = candidate, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    for path in _removable(case):
        candidate = copy.deepcopy(case)
        *way, last = path
        parent: Any = candidate
        for key in way:
            parent = getattr(parent, key) if isinstance(key, str) else parent[key]
        if isinstance(last, str):
            default = next(each for each in fields(parent) if each.name == last).default
            setattr(parent, last, default)
        else:
            del parent[last]
        yield candidate


def _removable(item: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if is_dataclass(item):
        for each in fields(item):
            value = getattr(item, each.name)
            if isinstance(value, list):
                for index in reversed(range(len(value))):
                    yield (*path, each.name, index)
                    if is_dataclass(value[index]):
                        yield from _removable(value[index], (*path, each.name, index))
            elif each.name in SIMPLER and value != each.default:
                yield (*path, each.name)
