"""A call into a WebAssembly sandbox."""

from __future__ import annotations

from ..results import Guide
from ..timing import Contestant
from .packages import package
from .rung import Preparation, Rung, expression

__all__ = ["RUNGS"]

MODULE = '(module (func (export "fabs") (param f64) (result f64) (f64.abs (local.get 0))))'


def _wasmtime(preparation: Preparation) -> Contestant:
    wasmtime = package("wasmtime", "wasmtime")
    settings = wasmtime.Config()
    settings.parallel_compilation = False  # its threads would outlive the bench
    engine = wasmtime.Engine(settings)
    store = wasmtime.Store(engine)
    instance = wasmtime.Instance(store, wasmtime.Module(engine, MODULE), [])
    fabs = instance.exports(store)["fabs"]
    return expression(preparation.name, "f(store, x)", {"f": fabs, "store": store})


RUNGS = (
    Rung(
        "WebAssembly: wasmtime",
        "Sandboxes and other processes",
        "A function of a WebAssembly module in this process, called from Python by wasmtime.",
        _wasmtime,
        Guide("WASM call (wazero)", 500, 10_000),
    ),
)
