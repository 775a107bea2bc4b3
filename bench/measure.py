"""One gateway under load: what a call costs, and whether every answer was the upstream's."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from bench import client, load
from bench.messages import Endpoint
from bench.processes import Tree
from bench.targets import LOAD_CORE, Started

CONNECTIONS, FEW = 64, 16
"""Callers at a time. With more of them, a gateway shares what it does once for all that is ready."""


@dataclass(frozen=True)
class Figures:
    """Of one run, or medians of several. Microseconds, megabytes (10^6 bytes), shares of one core."""

    cpu_us: float | None
    """CPU of the gateway's process tree per call; None for the upstream itself."""
    cpu_few_us: float | None
    """The same with few callers at a time."""
    upstream_cpu_us: float
    calls_per_second: float
    p50_us: float
    p99_us: float
    p50_alone_us: float
    """At one connection."""
    busy: float | None
    """How much of its core the gateway used: near 1, or the load side was the bottleneck."""
    pss_mb: float | None
    rss_mb: float | None

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def measure(
    endpoint: Endpoint, tree: Tree | None, behind: Started, seconds: float, warm_up: float
) -> Figures:
    """Load by many callers, by few, by one. Raises `LoadError` or `WrongAnswerError` if any answer was not right."""
    load.run(endpoint, CONNECTIONS, warm_up, LOAD_CORE, read=True)
    port = behind.endpoint.port
    served, spent, spent_behind = client.count_calls(port), _cpu(tree), behind.tree.cpu_seconds()
    busy = load.run(endpoint, CONNECTIONS, seconds, LOAD_CORE)
    spent, spent_behind = _cpu(tree) - spent, behind.tree.cpu_seconds() - spent_behind
    served = client.count_calls(port) - served
    if served < busy.calls:
        raise load.LoadError(f"{busy.calls} answers, but only {served} calls reached the upstream")
    spent_few = _cpu(tree)
    few = load.run(endpoint, FEW, max(1.0, seconds / 2), LOAD_CORE)
    spent_few = _cpu(tree) - spent_few
    alone = load.run(endpoint, 1, max(1.0, seconds / 3), LOAD_CORE)
    client.verify(endpoint)
    memory = tree.memory() if tree else None
    # Calls cut off at the end have cost nearly all they cost: they count.
    return Figures(
        cpu_us=spent * 1e6 / served if tree else None,
        cpu_few_us=spent_few * 1e6 / few.calls if tree else None,
        upstream_cpu_us=spent_behind * 1e6 / served,
        calls_per_second=busy.calls_per_second,
        p50_us=busy.p50_us,
        p99_us=busy.p99_us,
        p50_alone_us=alone.p50_us,
        busy=spent * busy.calls_per_second / busy.calls if tree else None,
        pss_mb=memory.pss / 1e6 if memory else None,
        rss_mb=memory.rss / 1e6 if memory else None,
    )


def medians(runs: Sequence[Figures]) -> Figures:
    """Figure by figure."""
    rows = [run.as_json() for run in runs]
    values: dict[str, Any] = {
        field.name: _median([row[field.name] for row in rows]) for field in fields(Figures)
    }
    return Figures(**values)


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 3) if known else None


def _cpu(tree: Tree | None) -> float:
    return tree.cpu_seconds() if tree else 0.0
