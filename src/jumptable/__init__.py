"""Open a plugin once, look its symbols up once, call at the machine's own speed.

    >>> import jumptable as jt
    >>> libm = jt.open("libm.so.6")
    >>> hypot = libm.lookup("hypot", "double(double, double)")
    >>> hypot(3.0, 4.0)
    5.0

`open` takes a native library or a Python module, `Plugin.lookup` gives builtin functions and
variables, `Plugin.bind` all that an interface asks for at once, and `from_pointer` makes functions
of pointers that ctypes, cffi, Cython, numba or SciPy hold. A `Table` holds an interface that can be
bound again while it is called, from Python and, with the headers in `get_include()`, from C.
`Counter` and `Counters` count what any number of threads, C code and processes do.

`lazy` makes a table that opens its plugin at the first call, `warm` loads such tables in the
background, `entry_points` finds plugins that are installed, from an index, and `lazy_group` makes
lazy tables of them.

`bench` times a host's own hot path, and says which open, look-up, bind or signature check is in it.

What cannot be opened or looked up is a `PluginError`, what does not fit an interface an
`InterfaceError`; an argument that a function refuses is a TypeError, OverflowError or ValueError.
Each says what was found and what was expected.
"""

from .binding.headers import get_include
from .binding.pointers import from_pointer
from .binding.symbol import Symbol
from .binding.table import Table
from .binding.table import host_api as _host_api  # noqa: F401  host.h imports it from here
from .binding.variable import Variable
from .counting.counter import Counter
from .counting.counters import Counters
from .errors import (
    InterfaceError,
    PluginArchError,
    PluginDependencyError,
    PluginError,
    PluginFormatError,
    PluginInitError,
    PluginNotFoundError,
    PluginTrustError,
    PluginVersionError,
    ProbeError,
    SignatureError,
    SymbolError,
    SymbolKindError,
    SymbolNotFoundError,
    UnboundSlotError,
)
from .loading.lazy import lazy, lazy_group
from .loading.plugin import Plugin
from .loading.registry import open

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .loading.discovery import entry_points as entry_points
    from .loading.warm import warm as warm
    from .loading.warmreport import WarmProgress as WarmProgress
    from .loading.warmreport import WarmReport as WarmReport
    from .loading.warmup import Warmup as Warmup
    from .measuring.hotpath import HotPath as HotPath
    from .measuring.hotpath import bench as bench

__version__ = "0.1.0"

__all__ = [
    "Counter",
    "Counters",
    "HotPath",
    "InterfaceError",
    "Plugin",
    "PluginArchError",
    "PluginDependencyError",
    "PluginError",
    "PluginFormatError",
    "PluginInitError",
    "PluginNotFoundError",
    "PluginTrustError",
    "PluginVersionError",
    "ProbeError",
    "SignatureError",
    "Symbol",
    "SymbolError",
    "SymbolKindError",
    "SymbolNotFoundError",
    "Table",
    "UnboundSlotError",
    "Variable",
    "WarmProgress",
    "WarmReport",
    "Warmup",
    "bench",
    "entry_points",
    "from_pointer",
    "get_include",
    "lazy",
    "lazy_group",
    "open",
    "warm",
]


# What not every program needs is imported by those that do.
_LATER = {
    "HotPath": "measuring.hotpath",
    "WarmProgress": "loading.warmreport",
    "WarmReport": "loading.warmreport",
    "Warmup": "loading.warmup",
    "bench": "measuring.hotpath",
    "entry_points": "loading.discovery",
    "warm": "loading.warm",
}


def __getattr__(name: str) -> object:
    if name in _LATER:
        from importlib import import_module

        found = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
        globals()[name] = found
        return found
    import sys

    module = sys.modules[__name__]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=module)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
