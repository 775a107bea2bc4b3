"""Counters and histograms, read off each finished record. Labels are bounded in number, whatever callers send.

A record adds to a few numbers; what Prometheus reads is made of them at the scrape. Counting through the
library's own objects, each with a lock, cost three times as much.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator

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

    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus wants them: each with all below it."""
        found, below = [], 0
        for bound, count in zip(_BOUNDS, self.counts, strict=True):
            below += count
            found.append((bound, float(below)))
        return found


class Metrics:
    """The gateway's own registry, so that tests and several gateways in a process do not meet."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str, str], int] = {}
        self._tools: dict[tuple[str, str], Times] = {}
        self._tool_outcomes: dict[tuple[str, str, str], int] = {}
        self._agents: dict[tuple[str, str], int] = {}
        self._known_agents: set[str] = set()
        self._bytes: dict[str, list[int]] = {}
        self._gateway = Times()
        self._upstream: dict[str, Times] = {}
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
        server = record.server or ""
        key = (server, record.method, record.outcome or "")
        self._calls[key] = self._calls.get(key, 0) + 1
        self._count_agent(record)
        if record.kind == "tool":
            self._count_tool(record, server)
        upstream = record.upstream_us
        if upstream is None:
            self._gateway.add(record.total_us or 0)
            return
        self._gateway.add((record.total_us or 0) - upstream)
        moved = self._bytes.get(server)
        if moved is None:
            moved = self._bytes[server] = [0, 0]
        moved[0] += record.request_bytes or 0
        moved[1] += record.response_bytes or 0
        waited = self._upstream.get(server)
        if waited is None:
            waited = self._upstream[server] = Times()
        waited.add(upstream)

    def _count_tool(self, record: Record, server: str) -> None:
        key = (server, record.target or "")
        times = self._tools.get(key)
        if times is None:
            if record.outcome not in _ANSWERED or len(self._tools) >= MAX_TOOLS:
                key = (server, _OTHER)
            times = self._tools.setdefault(key, Times())
        if record.upstream_us is not None:
            times.add(record.upstream_us)
        ended = (*key, record.outcome or "")
        self._tool_outcomes[ended] = self._tool_outcomes.get(ended, 0) + 1

    def _count_agent(self, record: Record) -> None:
        agent = record.agent or ""
        if agent not in self._known_agents:
            if len(self._known_agents) >= MAX_AGENTS:
                agent = _OTHER
            self._known_agents.add(agent)
        ended = (agent, record.outcome or "")
        self._agents[ended] = self._agents.get(ended, 0) + 1

    def collect(self) -> Iterator[Metric]:
        """The families as of now; called by the registry, from whichever thread scrapes."""
        calls = CounterMetricFamily(
            "toolgate_calls", "Calls by how they ended.", labels=("server", "method", "outcome")
        )
        for key, count in list(self._calls.items()):
            calls.add_metric(key, count)
        yield calls
        gateway = HistogramMetricFamily(
            "toolgate_gateway_seconds", "Time a call spent in the gateway itself, without the upstream's."
        )
        gateway.add_metric((), self._gateway.buckets(), self._gateway.total / 1e6)
        yield gateway
        upstream = HistogramMetricFamily(
            "toolgate_upstream_seconds", "Time a call waited for its upstream.", labels=("server",)
        )
        for server, times in list(self._upstream.items()):
            upstream.add_metric((server,), times.buckets(), times.total / 1e6)
        yield upstream
        yield from self._tool_families()
        agents = CounterMetricFamily(
            "toolgate_agent_calls", "Calls of an agent by how they ended.", labels=("agent", "outcome")
        )
        for ended, count in list(self._agents.items()):
            agents.add_metric(ended, count)
        yield agents
        sent = CounterMetricFamily("toolgate_request_bytes", "Bytes of calls passed on.", labels=("server",))
        got = CounterMetricFamily("toolgate_response_bytes", "Bytes of their answers.", labels=("server",))
        for server, moved in list(self._bytes.items()):
            sent.add_metric((server,), moved[0])
            got.add_metric((server,), moved[1])
        yield from (sent, got)

    def _tool_families(self) -> Iterator[Metric]:
        tools = HistogramMetricFamily(
            "toolgate_tool_seconds", "Time a tool took to answer.", labels=("server", "tool")
        )
        for key, times in list(self._tools.items()):
            tools.add_metric(key, times.buckets(), times.total / 1e6)
        yield tools
        ended = CounterMetricFamily(
            "toolgate_tool_calls", "Calls of a tool by how they ended.", labels=("server", "tool", "outcome")
        )
        for key_and_outcome, count in list(self._tool_outcomes.items()):
            ended.add_metric(key_and_outcome, count)
        yield ended

    def text(self) -> bytes:
        """The Prometheus exposition."""
        return generate_latest(self._registry)
