"""Random plugins and random things done to a manager: lazily loaded ones make no difference."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jumptable.calling.lazyhooks import StandIn
from tests.calling.lazy_site import Site, hookspec, outcome

pytestmark = pytest.mark.thread_unsafe(reason="it has its own sys.path")

NAMES = ["alpha", "beta", "gamma", "delta"]
HOOKS = ["each", "first", "other", "past", "free"]
OPTIONS = ["", "tryfirst=True", "trylast=True"]
KINDS = ["plain", "plain", "plain", "wrapper", "hookwrapper"]
ARGUMENTS = ["", "value", "value, more", "more, value", "value, more=5"]
BODIES = ["return None", "return ({name!r}, locals())", "raise KeyError({name!r})"]
FORMS = ["module", "instance", "class"]

implementations = st.fixed_dictionaries(
    {}, optional={
        hook: st.tuples(*map(st.sampled_from, (KINDS, OPTIONS, ARGUMENTS, BODIES)))
        for hook in HOOKS
    },
)  # fmt: skip
plugins = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(st.sampled_from(FORMS), implementations), min_size=1
)


def code_of(name: str, form: str, impls: dict[str, tuple[str, str, str, str]]) -> str:
    lines = []
    for hook, (kind, options, arguments, body) in impls.items():
        if hook == "past":
            kind = "plain"
        if kind != "plain":
            options = ", ".join(filter(None, [options, f"{kind}=True"]))
        if kind == "wrapper":
            body = f"return [{name!r}, (yield)]" if "KeyError" not in body else f"yield; {body}"
        elif kind == "hookwrapper":
            change = f"result.force_result([{name!r}, result.excinfo and 'error'])"
            body = f"result = yield; {change}" if "None" not in body else "yield"
        parameters = arguments
        if form == "instance":
            parameters = ", ".join(filter(None, ["self", arguments]))
        static = ["@staticmethod"] if form == "class" else []
        body = body.format(name=name).replace("locals()", "'value' in locals()")
        lines += [*static, f"@hookimpl({options})", f"def {hook}({parameters}): {body}"]
    if form == "module":
        return "\n".join([*lines, ""])
    inside = "\n".join(f"    {line}" for line in ["pass", *lines])
    made = "Plugin()" if form == "instance" else "Plugin"
    return f"class Plugin:\n{inside}\nplugin = {made}\n"


class Specs:
    @hookspec
    def each(self, value: Any, more: Any) -> None: ...

    @hookspec(firstresult=True)
    def first(self, value: Any, more: Any) -> None: ...

    @hookspec
    def other(self, value: Any, more: Any) -> None: ...

    @hookspec(historic=True)
    def past(self, value: Any, more: Any) -> None: ...


# ---- what is done ---------------------------------------------------------------------------


def call(hook: str, manager: Any, name: str) -> Any:
    return getattr(manager.hook, hook)(value=1, more=2)


def call_past(manager: Any, name: str) -> Any:
    results: list[Any] = []
    manager.hook.past.call_historic(results.append, {"value": name, "more": 2})
    return results


def call_extra(manager: Any, name: str) -> Any:
    return manager.hook.each.call_extra([lambda more: ("extra", more)], {"value": 1, "more": 2})


def call_subset(manager: Any, name: str) -> Any:
    plugin = manager.get_plugin(name)
    return manager.subset_hook_caller("other", [plugin] if plugin else [])(value=1, more=2)


def unregister(manager: Any, name: str) -> Any:
    return described(manager.unregister(name=name))


def register_again(manager: Any, name: str) -> Any:
    module = sys.modules.get(name)
    plugin = getattr(module, "plugin", module)
    if plugin is None:  # in stock it is imported always
        __import__(name)
        module = sys.modules[name]
        plugin = getattr(module, "plugin", module)
    try:
        return manager.register(plugin, f"again_{name}")
    except ValueError as error:
        return str(error).split(":")[0]


def described(plugin: Any) -> Any:
    assert type(plugin) is not StandIn
    return getattr(plugin, "__name__", type(plugin).__name__)


def ask(manager: Any, name: str) -> Any:
    plugin = manager.get_plugin(name)
    callers = manager.get_hookcallers(plugin) if plugin else None
    return described(plugin), manager.has_plugin(name), manager.is_blocked(name), (
        callers and [caller.name for caller in callers]
    )  # fmt: skip


ACTIONS: list[Callable[[Any, str], Any]] = [
    *(partial(call, hook) for hook in ("each", "first", "other", "free")),
    call_past,
    call_extra,
    call_subset,
    unregister,
    register_again,
    ask,
    lambda manager, name: manager.has_plugin(name),
    lambda manager, name: manager.set_blocked(name),
    lambda manager, name: manager.unblock(name),
    lambda manager, name: [(key, described(each)) for key, each in manager.list_name_plugin()],
    lambda manager, name: outcome(manager.check_pending)[0] if name == "alpha" else None,
]  # fmt: skip
steps = st.lists(
    st.tuples(st.integers(0, len(ACTIONS) - 1), st.sampled_from(NAMES)), min_size=1, max_size=8
)


def without_addresses(result: Any) -> Any:
    """Errors of validation show plugins, which have addresses."""
    return result if not (isinstance(result, tuple) and isinstance(result[0], type)) else result[0]


def history(make: Callable[[], Any], done: list[tuple[int, str]]) -> Any:
    try:
        manager = make()
    except Exception as error:
        return type(error), str(error).split("\n")[0]
    results = [
        without_addresses(outcome(partial(ACTIONS[number], manager, name))) for number, name in done
    ]
    manager.get_plugins()
    hooks = {
        hook: [(i.plugin_name, i.opts, i.argnames, i.kwargnames) for i in caller.get_hookimpls()]
        for hook, caller in vars(manager.hook).items()
    }
    return results, hooks


@settings(max_examples=40, deadline=None)
@given(plugins=plugins, done=steps, specified=st.booleans())
def test_random_plugins(plugins: Any, done: Any, specified: bool) -> None:
    specs = Specs if specified else None
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        (Path(folder) / "site").mkdir()
        site = Site(Path(folder) / "site", patch)
        try:
            for name, (form, impls) in plugins.items():
                value = name if form == "module" else f"{name}:plugin"
                site.install(name, {f"{name}.py": code_of(name, form, impls)}, {name: value})
            stock = history(partial(site.stock, specs), done)
            # The first run loads all, the second what it must, and so does the one after errors.
            for _ in range(3):
                assert history(partial(site.run, specs), done) == stock
        finally:
            site.start()
