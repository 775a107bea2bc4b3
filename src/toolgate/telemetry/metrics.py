"""Counters and histograms, read off each finished record. Labels are bounded in number, whatever callers send.

A record adds to a few numbers; what Prometheus reads is made of them at the scrape. Counting through the
library's own objects, each with a lock, cost three times as much.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from toolgate.model import Record

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_MICROS = tuple(round(bound * 1e6) for bound in _SECONDS)
_BOUNDS = (*(str(bound) for bound in _SECONDS), "+Inf")


MAX_TOOLS, MAX_AGENTS = 2000, 500
"""Tools and agents told apart; those that come later are counted as `other`."""
MAX_ROWS = 20_000
"""Combinations told apart; once there are more, new ones are counted for the agent `other`."""
_OTHER = "other"
_ANSWERED = frozenset({"ok", "tool_error"})
"""Only what a server answered is a tool of its: names that callers make up never become labels."""


class Times:
    """How often which time was taken, in microseconds."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * len(_BOUNDS)
        self.total = 0

    def add(self, micros: int) -> None:
        """One more."""
        self.counts[bisect_left(_MICROS, micros)] += 1
        self.total += micros

    def include(self, other: "Times") -> None:
        """Also those that another one counted."""
        self.counts = [mine + more for mine, more in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus wants them: each with all below it."""
        found, below = [], 0
        for bound, count in zip(_BOUNDS, self.counts, strict=True):
            below += count
            found.append((bound, float(below)))
        return found


class Labels(NamedTuple):
    """What calls counted together have in common."""

    server: str
    method: str
    outcome: str
    tool: str | None
    agent: str


class Row:
    """The sums of calls with the same labels."""

    __slots__ = ("calls", "got", "sent", "times")

    def __init__(self) -> None:
        self.calls = self.sent = self.got = 0
        self.times = Times()
        """Of the upstream."""


class Metrics:
    """The gateway's own registry, so that tests and several gateways in a process do not meet."""

    def __init__(self) -> None:
        self._rows: dict[Labels, Row] = {}
        self._found: dict[tuple[str | None, ...], Row] = {}
        """The row of a record, by what its labels are made of."""
        self._tools: set[tuple[str, str]] = set()
        self._known_agents: set[str] = set()
        self._gateway = Times()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._ledger_failed = Gauge(
            "toolgate_ledger_failed", "1 while records cannot be written.", registry=self._registry
        )

    def tell_ledger_failed(self, failed: Callable[[], bool]) -> None:
        """Ask this at each scrape whether records cannot be written."""
        self._ledger_failed.set_function(failed)

    def also(self, collector: Collector) -> None:
        """Tell what this collector says, too."""
        self._registry.register(collector)

    def count(self, record: Record) -> None:
        """Take one finished record into account."""
        key = (record.server, record.method, record.outcome, record.target, record.agent)
        row = self._found.get(key)
        if row is None:
            row = self._find(record, key)
        row.calls += 1
        upstream = record.upstream_us
        if upstream is None:
            self._gateway.add(record.total_us or 0)
            return
        self._gateway.add((record.total_us or 0) - upstream)
        row.sent += record.request_bytes or 0
        row.got += record.response_bytes or 0
        row.times.add(upstream)

    def _find(self, record: Record, key: tuple[str | None, ...]) -> Row:
        server = record.server or ""
        tool = self._tool(record, server) if record.kind == "tool" else None
        labels = Labels(server, record.method, record.outcome or "", tool, self._agent(record.agent or ""))
        if labels not in self._rows and len(self._rows) >= MAX_ROWS:
            labels = labels._replace(agent=_OTHER)
        row = self._rows.setdefault(labels, Row())
        # A name that is `other` today may be told apart once its server has answered for it.
        if _OTHER not in labels and (tool is not None or record.target is None):
            self._found[key] = row
        return row

    def _tool(self, record: Record, server: str) -> str:
        name = record.target or ""
        if (server, name) not in self._tools:
            if record.outcome not in _ANSWERED or len(self._tools) >= MAX_TOOLS:
                return _OTHER
            self._tools.add((server, name))
        return name

    def _agent(self, name: str) -> str:
        if name not in self._known_agents:
            if len(self._known_agents) >= MAX_AGENTS:
                return _OTHER
            self._known_agents.add(name)
        return name

    def collect(self) -> Iterator[Metric]:
        """The families as of now; called by the registry, from whichever thread scrapes."""
        rows = list(self._rows.items())
        yield _calls("toolgate_calls", "Calls by how they ended.", ("server", "method", "outcome"), rows)
        gateway = HistogramMetricFamily(
            "toolgate_gateway_seconds", "Time a call spent in the gateway itself, without the upstream's."
        )
        gateway.add_metric((), self._gateway.buckets(), self._gateway.total / 1e6)
        yield gateway
        sent = [(labels, row) for labels, row in rows if any(row.times.counts)]
        yield _times("toolgate_upstream_seconds", "Time a call waited for its upstream.", ("server",), sent)
        yield _bytes("toolgate_request_bytes", "Bytes of calls passed on.", sent, "sent")
        yield _bytes("toolgate_response_bytes", "Bytes of their answers.", sent, "got")
        ended = ("server", "tool", "outcome")
        tools = [(labels, row) for labels, row in rows if labels.tool is not None]
        yield _times("toolgate_tool_seconds", "Time a tool took to answer.", ended[:2], tools)
        yield _calls("toolgate_tool_calls", "Calls of a tool by how they ended.", ended, tools)
        yield _calls(
            "toolgate_agent_calls", "Calls of an agent by how they ended.", ("agent", "outcome"), rows
        )

    def text(self) -> bytes:
        """The Prometheus exposition."""
        return generate_latest(self._registry)


Rows = list[tuple[Labels, Row]]


def _grouped(names: tuple[str, ...], rows: Rows) -> dict[tuple[str, ...], list[Row]]:
    groups: dict[tuple[str, ...], list[Row]] = {}
    for labels, row in rows:
        groups.setdefault(tuple(getattr(labels, name) for name in names), []).append(row)
    return groups


def _calls(name: str, text: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, group in _grouped(labels, rows).items():
        family.add_metric(values, sum(row.calls for row in group))
    return family


def _bytes(name: str, text: str, rows: Rows, field: str) -> Metric:
    family = CounterMetricFamily(name, text, labels=("server",))
    for values, group in _grouped(("server",), rows).items():
        family.add_metric(values, sum(getattr(row, field) for row in group))
    return family


def _times(name: str, text: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, group in _grouped(labels, rows).items():
        times = Times()
        for row in group:
            times.include(row.times)
        family.add_metric(values, times.buckets(), times.total / 1e6)
    return family
