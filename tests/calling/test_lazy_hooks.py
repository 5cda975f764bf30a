"""Plugins of entry points that are loaded when one of their hooks is called: as stock pluggy's."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import pluggy
import pytest

import jumptable.pluggy as jumptable_pluggy
from jumptable.calling.lazyhooks import StandIn
from jumptable.loading.discovery import with_hidden
from tests.calling.lazy_site import GROUP, HEAD, Site, Specs, hookspec, outcome, site

__all__ = ["site"]  # a fixture

pytestmark = pytest.mark.thread_unsafe(reason="it has its own sys.path")

ZOO = {
    "plain": "@hookimpl\ndef each(value): return ('plain', value)",
    "first_of_all": "@hookimpl(tryfirst=True)\ndef each(more, value): return (more, value)",
    "last_of_all": "@hookimpl(trylast=True)\ndef each(): return 'last'",
    "quiet": "@hookimpl\ndef first(value): return None\n@hookimpl\ndef other(value): return value",
    "answers": "@hookimpl(trylast=True)\ndef first(value): return value + 1",
    "around": """
        @hookimpl(wrapper=True)
        def each(value):
            try:
                result = yield
            except Exception as error:
                return ['handled', str(error)]
            return ['around', value, *result]
        """,
    "around_first": """
        @hookimpl(wrapper=True, tryfirst=True)
        def first(value):
            return ('first', (yield))
        """,
    "old_around": """
        @hookimpl(hookwrapper=True)
        def each(value):
            outcome = yield
            outcome.force_result(['old', *outcome.get_result()])
        @hookimpl(hookwrapper=True, trylast=True)
        def other():
            outcome = yield
            try:
                outcome.get_result()
            except KeyError:
                outcome.force_result('old handled')
        """,
    "raises": """
        @hookimpl
        def each(value):
            if value == 'raise':
                raise KeyError('each')
        @hookimpl
        def other(value):
            if value == 'raise':
                raise KeyError('other')
        """,
    "history": "@hookimpl\ndef past(value): return value * 2",
    "unknown": "@hookimpl(optionalhook=True)\ndef nobody(it): return it",
    "renamed": "@hookimpl(specname='each')\ndef aside(value): return 'renamed'",
    "defaults": "@hookimpl\ndef each(value, more=5): return ('defaults', value, more)",
}
OBJECTS = {
    "an_instance": "zoo_objects:instance",
    "a_class": "zoo_objects:Static",
    "nested": "zoo_objects:Outer.inner",
    "package": "zoo_package",
    "submodule": "zoo_package.sub:plugin",
}
OBJECT_CODE = """
class Plugin:
    def __init__(self, number): self.number = number
    @hookimpl
    def each(self, value): return ('instance', self.number, value)
    @hookimpl(wrapper=True)
    def other(self, value): return [self.number, *(yield)]
instance = Plugin(1)
class Static:
    @staticmethod
    @hookimpl
    def other(value): return 'static'
    @classmethod
    @hookimpl
    def each(cls, value): return cls.__name__
class Outer:
    inner = Plugin(2)
"""
PACKAGE = "from .part import each\nfrom . import sub\n"
PART = "@hookimpl\ndef each(value): return 'part'\n"
SUB = "class Base:\n    @hookimpl\n    def each(self): return 'sub'\nplugin = Base()\n"


@pytest.fixture
def zoo(site: Site) -> Site:
    for name, code in ZOO.items():
        site.plugin(f"zoo_{name}", textwrap.dedent(code))
    modules = {
        "zoo_objects.py": OBJECT_CODE,
        "zoo_package/__init__.py": PACKAGE,
        "zoo_package/part.py": PART,
        "zoo_package/sub.py": SUB,
    }
    site.install("zoo-objects", modules, OBJECTS)
    return site


def historic(manager: Any) -> list[Any]:
    results: list[Any] = []
    manager.hook.past.call_historic(results.append, {"value": 4})
    manager.hook.past.call_historic(kwargs={"value": 5})
    manager.register(Late(), "late")
    return results


class Late:
    @pluggy.HookimplMarker("app")
    def past(self, value: Any) -> None: ...


def subset(manager: Any) -> Any:
    plugins = [manager.get_plugin(name) for name in ("zoo_plain", "an_instance", "zoo_around")]
    return manager.subset_hook_caller("each", plugins)(value=1, more=2)


def twice(manager: Any) -> Any:
    return manager.hook.each(value=1, more=2), manager.hook.each(value=1, more=2)


def extra(manager: Any) -> Any:
    methods = [lambda value: ("extra", value), lambda more: ("more", more)]
    return manager.hook.each.call_extra(methods, {"value": 1, "more": 2})


def unregistered(manager: Any) -> Any:
    plugin = manager.unregister(name="zoo_plain")
    manager.set_blocked("zoo_last_of_all")
    return plugin.__name__, manager.is_registered(plugin), manager.hook.each(value=1, more=2)


def traced(manager: Any) -> Any:
    lines: list[str] = []
    manager.trace.root.setwriter(lines.append)
    undo = manager.enable_tracing()
    manager.hook.first(value=1)
    undo()
    return lines


def monitored(manager: Any) -> Any:
    seen: list[Any] = []

    def before(name: str, impls: Any, kwargs: Any) -> None:
        seen.append([name, *((one.plugin_name, inspect.signature(one.function)) for one in impls)])

    def after(outcome: Any, name: str, impls: Any, kwargs: Any) -> None:
        seen.append([name, outcome.get_result(), *(type(one.plugin) for one in impls)])

    undo = manager.add_hookcall_monitoring(before, after)
    manager.hook.each(value=1, more=2)
    undo()
    return seen


def names(manager: Any) -> Any:
    return [
        (name, getattr(p, "__name__", type(p).__name__)) for name, p in manager.list_name_plugin()
    ]


def distributions(manager: Any) -> Any:
    return [
        (getattr(plugin, "__name__", None), info.project_name, info.version, type(info).__name__)
        for plugin, info in manager.list_plugin_distinfo()
    ]


ACTIONS: dict[str, Callable[[Any], Any]] = {
    "call": lambda manager: manager.hook.each(value=1, more=2),
    "call of all kinds": twice,
    "error": lambda manager: manager.hook.each(value="raise", more=2),
    "error in old wrapper": lambda manager: manager.hook.other(value="raise"),
    "other": lambda manager: manager.hook.other(value=0),
    "firstresult": lambda manager: manager.hook.first(value=1),
    "unspecified": lambda manager: manager.hook.nobody(it=3),
    "missing argument": lambda manager: manager.hook.nobody(),
    "historic": historic,
    "subset": subset,
    "extra": extra,
    "unregister": unregistered,
    "tracing": traced,
    "monitoring": monitored,
    "names": names,
    "distributions": distributions,
    "check": lambda manager: manager.check_pending(),
    "plugins": lambda manager: sorted(repr(type(plugin)) for plugin in manager.get_plugins()),
    "no plugin": lambda manager: (manager.get_plugin("zoo"), manager.has_plugin("zoo")),
    "has": lambda manager: [manager.has_plugin(name) for name in ("zoo_plain", "an_instance")],
    "loaded again": lambda manager: manager.load_setuptools_entrypoints(GROUP),
}  # fmt: skip


def shape(manager: Any) -> Any:
    """What each hook calls, and in which order."""
    return {
        hook: [(i.plugin_name, i.opts, i.argnames, i.kwargnames) for i in caller.get_hookimpls()]
        for hook, caller in vars(manager.hook).items()
    }


@pytest.mark.parametrize("name", ACTIONS)
def test_everything_is_as_in_stock(zoo: Site, name: str) -> None:
    results = []
    for manager in (zoo.lazy(), zoo.stock()):
        before = shape(manager)
        result = outcome(partial(ACTIONS[name], manager))
        manager.get_plugins()
        after = shape(manager), twice(manager), manager.hook.first(value=2)
        results.append((before, result, after))
    assert results[0] == results[1]


def test_only_what_is_called_is_imported(zoo: Site) -> None:
    manager = zoo.lazy()
    assert manager.hook.first(value=1) == ("first", 2)
    assert sorted(zoo.imported()) == ["zoo_answers", "zoo_around_first", "zoo_quiet"]
    manager.get_plugin("an_instance")
    assert "zoo_objects" in zoo.imported() and "zoo_plain" not in zoo.imported()


def test_a_loaded_plugin_is_as_if_it_was_always_there(site: Site) -> None:
    site.plugin("one", "@hookimpl\ndef each(value): return value\n")
    manager = site.lazy()
    caller = manager.hook.each
    (before,) = caller.get_hookimpls()
    assert caller(value=1, more=2) == [1]
    (after,) = caller.get_hookimpls()
    assert after is not before and after.plugin is sys.modules["one"]
    assert after.function is after.plugin.each
    assert manager.get_plugins() == {after.plugin} and manager._name2plugin == {"one": after.plugin}
    assert manager.list_plugin_distinfo()[0][0] is after.plugin
    assert before.plugin.each is after.function
    assert site.imported() == ["one"] and manager._lazy_pending == {}


def test_a_stand_in_has_the_attributes_of_its_plugin(site: Site) -> None:
    site.plugin("one", "ANSWER = 42\n@hookimpl\ndef each(value): return value\n")
    manager = site.lazy()
    plugin = manager.hook.each.get_hookimpls()[0].plugin
    assert "one" in repr(plugin) and site.imported() == []
    assert plugin.ANSWER == 42
    assert manager.is_registered(plugin) and manager.get_name(plugin) == "one"
    assert manager.get_hookcallers(plugin) == [manager.hook.each]
    assert manager.subset_hook_caller("each", [plugin])(value=1, more=2) == []
    assert manager.unregister(plugin) is sys.modules["one"]


# ---- what a manager is asked ----------------------------------------------------------------

ONE = "@hookimpl\ndef each(value): return value\n"
METHOD = "@hookimpl\n    def each(self): return 5\n"


@pytest.mark.parametrize(
    "ask",
    [
        lambda manager, plugin: manager.is_registered(plugin),
        lambda manager, plugin: manager.get_name(plugin),
        lambda manager, plugin: [caller.name for caller in manager.get_hookcallers(plugin)],
        lambda manager, plugin: manager.unregister(plugin) is plugin,
        lambda manager, plugin: manager.unregister(plugin, "one") is plugin,
        lambda manager, plugin: manager.subset_hook_caller("each", [plugin])(value=1, more=2),
        lambda manager, plugin: manager.register(plugin),
        lambda manager, plugin: manager.register(plugin, "again"),
        lambda manager, plugin: manager.register(plugin, "one"),
    ],
)
@pytest.mark.parametrize("value", ["one", "one:plugin"])
def test_a_plugin_that_was_imported_meanwhile_is_known(
    site: Site, value: str, ask: Callable[[Any, Any], Any]
) -> None:
    """The module that holds it may be another than the entry point's."""
    site.install("one", {"one.py": "from part import each, plugin\n"}, {"one": value})
    site.write(
        "part.py", f"{ONE}class P:\n    @hookimpl\n    def each(self): return 5\nplugin = P()\n"
    )
    results = []
    for manager in (site.lazy(), site.stock()):
        plugin: Any = __import__("one")
        plugin = plugin if value == "one" else plugin.plugin
        result = outcome(lambda m=manager, p=plugin: ask(m, p))
        if isinstance(result, tuple):
            result = result[0]  # the message has addresses
        results.append((result, manager.hook.each(value=3, more=4)))
    assert results[0] == results[1]


def test_a_plugin_of_somebody_else_is_known(site: Site) -> None:
    """It can be had without the entry point's module."""
    site.install("one", {"one.py": "from shared import plugin\n"}, {"one": "one:plugin"})
    site.write("shared.py", f"class P:\n    {METHOD}plugin = P()\n")
    for manager in (site.lazy(), site.stock()):
        plugin = __import__("shared").plugin
        assert "shared" in site.imported()
        with pytest.raises(ValueError, match="Plugin already registered under a different name"):
            manager.register(plugin, "two")


def test_a_plugin_inside_something_is_known(site: Site) -> None:
    site.install("one", {"one.py": "from shared import Holder\n"}, {"one": "one:Holder.plugin"})
    site.write("shared.py", f"class P:\n    {METHOD}class Holder:\n    plugin = P()\n")
    for make in (site.lazy, site.stock):
        manager = make()
        assert manager.is_registered(__import__("shared").Holder.plugin)


def test_another_module_of_the_name_is_not_imported(site: Site) -> None:
    """The one that was there when plugins were loaded is what stock has imported."""
    site.plugin("one", ONE)
    manager = site.lazy()
    other = site.folder.parent / "other"
    other.mkdir()
    (other / "one.py").write_text("raise SystemExit('another one')\n")
    with site.monkeypatch.context() as patched:
        patched.setattr(sys, "path", [str(other), *sys.path])
        for _ in range(2):
            with pytest.raises(ImportError, match=r"found .*other.one\.py .* expected .*site.one"):
                manager.hook.each(value=1, more=2)
    assert manager.hook.each(value=1, more=2) == [1]


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda manager: pickle.loads(pickle.dumps(manager))]
)
def test_copies_of_a_manager(site: Site, duplicate: Callable[[Any], Any]) -> None:
    """A copy's plugins are copies, as they are in stock."""
    site.install("one", {"one.py": f"class P:\n    {METHOD}plugin = P()\n"}, {"one": "one:plugin"})
    for manager in (site.lazy(), site.stock()):
        made = duplicate(manager)
        assert made.hook.each(value=1, more=2) == [5]
        (plugin,) = made.get_plugins()
        assert (plugin is manager.get_plugin("one")) is (duplicate is copy.copy)
        assert made.hook.each.get_hookimpls()[0].plugin is plugin
        assert made.unregister(plugin) is plugin
        made.load_setuptools_entrypoints(GROUP)
        assert made.hook.each(value=1, more=2) == [5]


def test_a_package_that_is_imported_is_not_its_plugin(site: Site) -> None:
    site.install("one", {"one/__init__.py": "", "one/part.py": ONE}, {"one": "one.part"})
    manager = site.lazy()
    __import__("one")
    manager.register(object(), "two")
    assert site.imported() == ["one"] and manager.hook.each(value=1, more=2) == [1]


def test_unregistering_and_blocking(site: Site) -> None:
    site.plugin("one", ONE)
    site.plugin("two", ONE)
    manager = site.lazy()
    manager.set_blocked("one")
    assert site.imported() == [] and manager.is_blocked("one") and not manager.has_plugin("one")
    plugin = manager.unregister(name="two")
    assert plugin is sys.modules["two"] and not manager.has_plugin("two")
    assert manager.hook.each(value=1, more=2) == []
    assert manager.register(plugin, "two") == "two"
    assert manager.hook.each(value=1, more=2) == [1]
    assert "one" not in site.imported()
    kept = {each.__name__ for each, _ in manager.list_plugin_distinfo()}
    assert kept == {"one", "two"}  # as in stock, where it was loaded
    assert manager.hook.each(value=1, more=2) == [1]


def test_a_name_and_a_name_that_is_blocked(site: Site) -> None:
    for name in ("one", "two", "three"):
        site.plugin(name, ONE)
    site.run()
    for lazy in (True, False):
        site.start()
        manager = jumptable_pluggy.PluginManager("app")
        manager.set_blocked("two")
        given: Any = {"lazy": True} if lazy else {}
        assert manager.load_setuptools_entrypoints(GROUP, "one", **given) == 1
        assert manager.load_setuptools_entrypoints(GROUP, name="two", **given) == 0
        assert manager.load_setuptools_entrypoints(GROUP, **given) == 1
        assert manager.load_setuptools_entrypoints("no.such.group", **given) == 0
        assert (site.imported() == []) == lazy
        assert {name for name, _ in manager.list_name_plugin()} == {"one", "two", "three"}


# ---- specifications and validation ----------------------------------------------------------


def later(*functions: Any) -> Any:
    return type("Later", (), {function.__name__: function for function in functions})


@hookspec
def fewer(more: Any) -> None: ...


@hookspec(historic=True)
def wrapped(value: Any) -> None: ...


@hookspec(warn_on_impl=DeprecationWarning("old"))
def warned(value: Any) -> None: ...


@hookspec(warn_on_impl_args={"value": DeprecationWarning("old argument")})
def warned_of(value: Any, other: Any) -> None: ...


@pytest.mark.parametrize("spec", [fewer, wrapped, warned, warned_of])
@pytest.mark.parametrize("early", [True, False])
def test_errors_and_warnings_about_implementations(site: Site, spec: Any, early: bool) -> None:
    """They come when stock's do, and are about the plugin itself: its name, its file, its lines."""
    name = spec.__name__
    kind = "wrapper=True" if spec is wrapped else ""
    code = f"@hookimpl({kind})\ndef {name}(value: int, *, x: str = ''): yield\n"
    site.plugin("one", code)
    site.run(None)
    results = []
    for run in (site.run, site.stock):
        specs = later(spec)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if early:
                result = outcome(lambda run=run, specs=specs: run(specs) and None)
            else:
                manager = run(None)
                assert (site.imported() == []) == (run == site.run)
                result = outcome(lambda m=manager, specs=specs: m.add_hookspecs(specs))
        said = [(type(w.message), str(w.message), w.filename, w.lineno) for w in caught]
        results.append((result, said))
        assert isinstance(result, tuple) or said, "this test should have something to compare"
    assert results[0] == results[1]


def test_a_hook_without_specification_is_reported(site: Site) -> None:
    site.plugin("one", "@hookimpl\ndef unheard_of(value): return value\n")
    manager = site.lazy()
    with pytest.raises(pluggy.PluginValidationError, match="unknown hook 'unheard_of'") as raised:
        manager.check_pending()
    assert raised.value.plugin is sys.modules["one"]
    assert str(raised.value) == outcome(site.stock().check_pending)[1].replace("\\", "\\")


def test_historic_calls_reach_plugins_of_later(site: Site) -> None:
    site.plugin("one", "@hookimpl\ndef past(value): return value * 2\n")
    site.lazy()
    site.start()
    manager = jumptable_pluggy.PluginManager("app")
    manager.add_hookspecs(Specs)
    results: list[Any] = []
    manager.hook.past.call_historic(results.append, {"value": 4})
    manager.load_setuptools_entrypoints(GROUP, lazy=True)
    assert results == [8] and site.imported() == ["one"]
    manager.hook.past.call_historic(results.append, {"value": 5})
    assert results == [8, 10]


# ---- where it is not lazy -------------------------------------------------------------------


class Registers(jumptable_pluggy.PluginManager):
    def register(self, plugin: object, name: str | None = None) -> str | None:
        assert type(plugin) is not StandIn
        return super().register(plugin, name)


class Parses(jumptable_pluggy.PluginManager):
    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        if name == "other":
            return {}
        return super().parse_hookimpl_opts(plugin, name)


@pytest.mark.parametrize("kind", [Registers, Parses])
def test_subclasses_that_look_at_plugins_get_them(site: Site, kind: Any) -> None:
    site.plugin("one", f"{ONE}def other(value): return 'other'\n")
    site.run()
    site.start()
    manager = kind("app")
    assert manager.load_setuptools_entrypoints(GROUP, lazy=True) == 1
    assert site.imported() == ["one"]
    assert manager.hook.each(value=1, more=2) == [1]


def test_not_while_it_is_traced(site: Site) -> None:
    site.plugin("one", ONE)
    site.run()
    site.start()
    manager = jumptable_pluggy.PluginManager("app")
    undo = manager.enable_tracing()
    assert manager.load_setuptools_entrypoints(GROUP, lazy=True) == 1
    undo()
    assert site.imported() == ["one"]


@pytest.mark.parametrize("switch", ["off", "0"])
def test_not_without_a_cache(site: Site, monkeypatch: pytest.MonkeyPatch, switch: str) -> None:
    site.plugin("one", ONE)
    site.lazy()
    monkeypatch.setenv("JUMPTABLE_CACHE", switch)
    site.run()
    assert site.imported() == ["one"]


@pytest.mark.parametrize(
    "code",
    [
        "def each(value): return value\n",  # no hooks: whoever installs it wants it imported
        f"{ONE}@hookimpl(specname='each')\ndef again(value): return value\n",
        "@hookimpl(tryfirst=1)\ndef each(value): return value\n",
        "class Empty(list):\n    @hookimpl\n    def each(self, value): return value\n"
        "import sys\nsys.modules[__name__] = Empty()\n",
        f"import host\nhost.manager.register(object(), 'another')\n{ONE}",
        f"import host\nhost.manager.add_hookspecs(host.Specs)\n{ONE}",
    ],
    ids=["no hooks", "twice", "odd option", "falsy", "registers", "specifies"],
)
def test_what_cannot_be_recorded_is_loaded(
    site: Site, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    site.plugin("one", code)
    for _ in range(3):
        site.start()
        host: Any = type(sys)("host")
        host.Specs = Specs
        host.manager = manager = jumptable_pluggy.PluginManager("app")
        monkeypatch.setitem(sys.modules, "host", host)
        manager.load_setuptools_entrypoints(GROUP, lazy=True)
        assert site.imported() == ["one"]
        assert [name for name, _ in manager.list_name_plugin()][-1:] == ["one"]


# ---- loading --------------------------------------------------------------------------------


@pytest.mark.parametrize("contain", [False, True])
def test_a_plugin_that_fails_to_load(site: Site, contain: bool) -> None:
    """Its error comes with each call, and it is not loaded lazily again."""
    site.plugin("one", ONE)
    site.plugin("two", f"import events\nif 'fail' in events.log: raise OSError('no')\n{ONE}")
    manager = site.lazy(contain=contain)
    site.log.append("fail")
    for number in (1, 2):
        if contain:
            with pytest.raises(jumptable_pluggy.ContainedErrors) as group:
                manager.hook.each(value=number, more=0)
            assert group.value.results == [number]
            (error,) = group.value.exceptions
            assert type(error) is OSError and "'two'" in "".join(error.__notes__)
        else:
            with pytest.raises(OSError, match="no"):
                manager.hook.each(value=number, more=0)
        assert site.imported().count("two") == number
        with pytest.raises(OSError, match="no"):
            manager.get_plugin("two")
        site.log.remove("import two")
    with pytest.raises(OSError, match="no"):
        manager.list_name_plugin()
    site.log.remove("fail")  # it is an import like any other: the next may succeed
    assert manager.hook.each(value=3, more=0) == [3, 3]
    site.run()
    assert site.imported() == ["two"]


def test_a_broken_plugin_can_be_unregistered(site: Site) -> None:
    site.plugin("two", f"import events\nif 'fail' in events.log: raise OSError('no')\n{ONE}")
    manager = site.lazy()
    site.log.append("fail")
    with pytest.raises(OSError, match="no"):
        manager.unregister(name="two")
    assert not manager.has_plugin("two") and manager.hook.each(value=1, more=2) == []


def test_a_plugin_that_calls_hooks_while_it_is_imported(site: Site) -> None:
    """It is not there yet: neither its own hooks are called, nor is it registered."""
    code = """
    import host
    {impls}
    events.log.append((host.manager.hook.each(value=1, more=2), host.manager.has_plugin(__name__),
                       host.manager.get_plugin(__name__), host.manager.hook.first(value=1)))
    """
    impls = (
        "@hookimpl\ndef each(value): return __name__\n"
        "@hookimpl(wrapper=True)\ndef first(value): return ('around', (yield))\n"
    )
    for name in ("a", "b"):
        site.plugin(name, textwrap.dedent(code).format(impls=impls))
    logs = []
    host: Any = type(sys)("host")
    site.monkeypatch.setitem(sys.modules, "host", host)
    for kind in (
        jumptable_pluggy.PluginManager,
        jumptable_pluggy.PluginManager,
        pluggy.PluginManager,
    ):
        site.start()
        manager: Any = kind("app")
        manager.add_hookspecs(Specs)
        host.manager = manager
        given: Any = {} if kind is pluggy.PluginManager else {"lazy": True}
        manager.load_setuptools_entrypoints(GROUP, **given)
        logs.append((manager.hook.each(value=1, more=2), [e for e in site.log if type(e) is tuple]))
    order, events = logs[2]
    assert logs[1][0] == order == logs[0][0]
    # While one is imported, the other may be there already or not: that depends on who is called.
    for result, has, got, first in logs[1][1]:
        assert (has, got) == (False, None) and len(result) <= 1
        assert first in (None, ("around", None))
    assert len(logs[1][1]) == len(events) == 2


def test_a_plugin_that_is_imported_by_hand_and_calls_hooks_meanwhile(site: Site) -> None:
    call = "events.log.append(events.manager.hook.each(value=1, more=2))"
    site.plugin("one", f"if events.log[0] == 'now':\n    {call}\n{ONE}")
    events: Any = sys.modules["events"]
    events.manager = manager = site.lazy()
    site.log.append("now")
    __import__("one")
    assert site.log == ["now", "import one", []]
    assert manager.hook.each(value=1, more=2) == [1]


def test_racing_threads_import_once(site: Site) -> None:
    site.plugin("one", f"import time\ntime.sleep(0.05)\n{ONE}")
    site.plugin("two", "@hookimpl(wrapper=True)\ndef each(value): return ['two', *(yield)]\n")
    manager = site.lazy()
    barrier = threading.Barrier(16)
    results: list[Any] = []

    def call(number: int) -> None:
        barrier.wait()
        results.append((number, manager.hook.each(value=number, more=0)))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == [(number, ["two", number]) for number in range(16)]
    assert sorted(site.imported()) == ["one", "two"]


def test_threads_that_load_several_plugins_at_once(zoo: Site) -> None:
    """Each call finds all implementations in their order, loaded or not."""
    stock = zoo.stock()
    calls: list[tuple[str, Any]] = [("each", {"more": 2}), ("first", {}), ("other", {})]
    expected = [getattr(stock.hook, name)(value=1, **more) for name, more in calls]
    zoo.run()
    for _ in range(5):
        manager = zoo.run()
        assert zoo.imported() == []
        barrier = threading.Barrier(16)
        wrong: list[Any] = []

        def call(number: int, manager: Any, barrier: threading.Barrier, wrong: list[Any]) -> None:
            barrier.wait()
            for turn in range(number, number + 6):
                name, more = calls[turn % 3]
                result = outcome(partial(getattr(manager.hook, name), value=1, **more))
                if result != expected[turn % 3]:
                    wrong.append(result)

        threads = [
            threading.Thread(target=call, args=(number, manager, barrier, wrong))
            for number in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert wrong == []
        manager.get_plugins()
        assert shape(manager) == shape(stock)
        assert len(zoo.imported()) == len(set(zoo.imported()))


CROSSING = """
import sys, threading
sys.path.insert(0, {site!r})
import events_of_crossing as events
import jumptable.pluggy as pluggy
from jumptable.calling import hookrecords
hookrecords.SETTLED_NS = 0
manager = pluggy.PluginManager("app")
events.manager = manager
manager.load_setuptools_entrypoints({group!r}, lazy=True)
events.gate = threading.Barrier(2)
calls = [manager.hook.a, manager.hook.b]
threads = [threading.Thread(target=call, daemon=True) for call in calls]
for thread in threads: thread.start()
for thread in threads: thread.join(20)
assert not any(thread.is_alive() for thread in threads), "deadlock"
print(manager.hook.a(), manager.hook.b(), len(manager._lazy_pending))
"""


def test_threads_that_import_what_calls_the_other_do_not_wait_for_ever(site: Site) -> None:
    """Each plugin calls the other's hook as it is imported, when both imports are under way."""
    (site.folder / "events_of_crossing.py").write_text("gate = None\nlog = []\n")
    for name, other in (("a", "b"), ("b", "a")):
        site.plugin(f"crossing_{name}", "")
        (site.folder / f"crossing_{name}.py").write_text(
            HEAD.replace("events", "events_of_crossing")
            + "import events_of_crossing as events\nif events.gate: events.gate.wait(10)\n"
            f"getattr(events.manager.hook, {other!r}, list)()\n"
            f"@hookimpl\ndef {name}(): return {name!r}\n"
        )
    code = CROSSING.format(site=str(site.folder), group=GROUP)
    first = code.replace("events.gate = threading", "# ")
    assert site.process(first) == site.process(code) == "['a'] ['b'] 0\n"


def test_hooks_that_depend_on_more_than_files(site: Site) -> None:
    """What the files do not tell is found out at the first call, and right from then on."""
    code = f"""
    {ONE.splitlines()[0]}
    def each(value): return value
    import events
    if "more" in events.log:
        @hookimpl(trylast=True)
        def other(value): return "late"
        @hookimpl(tryfirst=True)
        def each(value, more): return (value, more)
        @hookimpl
        def past(value): events.log.append(("past", value))
        @hookimpl
        def new_one(value): return "new"
    else:
        @hookimpl
        def first(value): return "gone"
    """
    site.plugin("a", "@hookimpl\ndef each(value): return 'a'\n@hookimpl(trylast=True)\n"
                     "def other(value): return 'a'\n")  # fmt: skip
    site.plugin("b", textwrap.dedent(code))
    site.plugin("c", "@hookimpl(tryfirst=True)\ndef each(value): return 'c'\n"
                     "@hookimpl(trylast=True)\ndef other(value): return 'c'\n"
                     "@hookimpl(trylast=True, specname='other')\n"
                     "def second(value): return 'c2'\n")  # fmt: skip
    site.run()
    manager = site.run()
    assert site.imported() == ["c"]
    manager.hook.past.call_historic(kwargs={"value": 7})
    site.log.append("more")
    with pytest.warns(RuntimeWarning, match="found other implementations of each, first, new_one"):
        assert "gone" not in manager.hook.each(value=1, more=2)
    assert site.log.count(("past", 7)) == 1

    def results(manager: Any) -> Any:
        hook = manager.hook
        called = hook.each(value=1, more=2), hook.other(value=1), hook.new_one(value=1)
        return shape(manager), called, hook.first(value=1)

    found = results(manager)
    for _ in range(2):  # it does not become lazy again while its files stay
        site.run()
        assert sorted(site.imported()) == ["b", "c"]

    stock = pluggy.PluginManager("app")
    stock.add_hookspecs(Specs)
    site.start()
    site.log.append("more")
    stock.load_setuptools_entrypoints(GROUP)
    assert found == results(stock)


GOOD = f"class P:\n    {METHOD}plugin = P()\n"
INVALID = {
    "argument": (GOOD.replace("(self)", "(self, no_such)"), "'no_such'"),
    "wrapper": (GOOD.replace("hookimpl", "hookimpl(wrapper=True)"), "not a generator function"),
    "registered": ("plugin = events.taken\n", "already registered under a different name"),
}


@pytest.mark.parametrize("invalid", INVALID)
def test_an_invalid_plugin_is_reported_at_the_call(site: Site, invalid: str) -> None:
    """What stock says when it registers the plugin, where the files did not tell."""
    bad, message = INVALID[invalid]
    good = GOOD
    if invalid == "wrapper":
        good = bad.replace("return 5", "return (yield)")
    site.install(
        "one",
        {"good.py": good, "bad.py": bad, "one.py": "from importlib import import_module\n"
         "plugin = import_module('bad' if 'bad' in events.log else 'good').plugin\n"},
        {"one": "one:plugin"},
    )  # fmt: skip
    events: Any = sys.modules["events"]
    events.taken = Late()
    results = []
    for lazy in (True, False):
        if lazy:
            manager = site.lazy()
        else:
            site.start()
            manager = pluggy.PluginManager("app")
            manager.add_hookspecs(Specs)
        manager.register(events.taken, "taken")
        site.log.append("bad")
        load = partial(manager.load_setuptools_entrypoints, GROUP)
        results.append(outcome(partial(manager.hook.each, value=1, more=2) if lazy else load))
    assert message in results[0][1] and results[0][0] is results[1][0]


@pytest.mark.parametrize("body", ["yield\n    yield", "raise StopIteration\n    yield", "return"],
                         ids=["goes on", "stops", "does not yield"])  # fmt: skip
@pytest.mark.parametrize("kind", ["wrapper", "hookwrapper"])
def test_wrappers_that_misbehave(site: Site, kind: str, body: str) -> None:
    site.plugin("one", f"@hookimpl({kind}=True)\ndef other(value):\n    {body}\n    yield\n")
    results = [
        outcome(partial(manager.hook.other, value=1)) for manager in (site.lazy(), site.stock())
    ]
    assert results[0][0] is results[1][0] is RuntimeError


def test_the_same_entry_points_as_stock(zoo: Site) -> None:
    """In the same order, shadowed distributions included."""
    second = zoo.folder.parent / "second"
    second.mkdir()
    Site(second, zoo.monkeypatch).install("zoo_plain", {}, {"shadowed": "zoo_plain"}, version="0")
    expected = [
        (ep.name, ep.value, dist.version)
        for dist in __import__("importlib.metadata").metadata.distributions()
        for ep in dist.entry_points
        if ep.group == GROUP
    ]
    found = [(ep.name, ep.value, dist.version) for ep, dist in with_hidden(GROUP)]
    assert found == expected and len(found) == len(ZOO) + len(OBJECTS) + 1


def test_import_is_as_fast_as_before() -> None:
    slow = "importlib.metadata", "json", "email"
    code = f"import sys, jumptable.pluggy; print([m for m in {slow} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
