"""Counters as metrics, for `prometheus_client <https://prometheus.github.io/client_python/>`_.

    >>> import jumptable as jt
    >>> from jumptable.counting.prometheus import CounterCollector
    >>> from prometheus_client import REGISTRY
    >>> stats = jt.Counters(["hits", "misses"], path="/run/app/stats")
    >>> REGISTRY.register(CounterCollector(stats, prefix="app_"))

Then ``app_hits_total`` is what all processes that share the file have counted, in whichever of them
it is asked for: no directory to clean, and nothing is lost when one ends. Needs the extra
``[prometheus]``.
"""

from __future__ import annotations

import logging
import re

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from .counters import Counters, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["CounterCollector"]

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
log = logging.getLogger("jumptable")


class CounterCollector(Collector):
    """Serves the values of `Counters`, each as a metric of the type counter.

    A metric is called ``prefix`` and the counter's name; ``help`` has their descriptions by name. A
    counter whose file is damaged is left out, and the log of "jumptable" says why: the other
    metrics are served. What was reset starts again from 0, which Prometheus expects of counters;
    it takes any other value that is less than before for a reset as well.

    Raises TypeError for what are no Counters, ValueError for a name that no metric can have. Safe
    to use from any thread.
    """

    def __init__(
        self, counters: Counters, *, prefix: str = "", help: Mapping[str, str] | None = None
    ) -> None:
        if not isinstance(counters, Counters):
            raise TypeError(
                f"CounterCollector() serves Counters, and got {type(counters).__name__}; make them "
                "with jumptable.Counters(names, path=...)"
            )
        self.counters = counters
        self.metrics: dict[str, tuple[str, str]] = {}
        taken: dict[str, str] = {}
        unknown = sorted(set(help or ()) - set(counters))
        if unknown:
            raise ValueError(f"help= describes {', '.join(unknown)}, and there is no such counter")
        for name in counters:
            metric = prefix + name
            if not NAME.fullmatch(metric):
                raise ValueError(
                    f"a metric cannot be called {metric!r}: letters, digits, '_' and ':' only, and "
                    "no digit first; give the counter another name, or another prefix"
                )
            # The client takes this ending off, and puts it on again.
            bare = metric.removesuffix("_total")
            if bare in taken:
                raise ValueError(
                    f"the counters {taken[bare]!r} and {name!r} would both be {bare}_total"
                )
            taken[bare] = name
            described = (help or {}).get(name, f"{name}, counted by jumptable")
            if not isinstance(described, str):  # it would keep the registry from serving anything
                raise TypeError(
                    f"help= describes {name!r} by a str, not {type(described).__name__}"
                )
            self.metrics[name] = (metric, described)

    def describe(self) -> Iterator[CounterMetricFamily]:
        """What there is, without its values, for the registry to look for names given twice."""
        for metric, described in self.metrics.values():
            yield CounterMetricFamily(metric, described)

    def collect(self) -> Iterator[CounterMetricFamily]:
        refused: dict[str, list[str]] = {}
        for name, (metric, described) in self.metrics.items():
            try:
                value = self.counters[name].value
            except (OSError, ValueError) as error:
                refused.setdefault(str(error), []).append(name)
                continue
            yield CounterMetricFamily(metric, described, value=value)
        # Once for all counters of a file: this is said again at each scrape.
        for reason, names in refused.items():
            log.error("not served, the counters %s: %s", listed(tuple(names)), reason)
