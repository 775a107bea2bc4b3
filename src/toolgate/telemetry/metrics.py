"""Counters and histograms, read off each finished record. Labels are bounded; no name of a caller is one."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from toolgate.model import Record

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The gateway's own registry, so that tests and several gateways in a process do not meet."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._calls = Counter(
            "toolgate_calls",
            "Calls by how they ended.",
            ("server", "method", "outcome"),
            registry=self._registry,
        )
        self._gateway = Histogram(
            "toolgate_gateway_seconds",
            "Time a call spent in the gateway itself, without the upstream's.",
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._upstream = Histogram(
            "toolgate_upstream_seconds",
            "Time a call waited for its upstream.",
            ("server",),
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._ledger_failed = Gauge(
            "toolgate_ledger_failed", "1 while records cannot be written.", registry=self._registry
        )
        # Bound children cost 0.3 us, looking one up by its labels 1.1.
        self._bound: dict[tuple[str, str, str], Counter] = {}
        self._bound_upstream: dict[str, Histogram] = {}

    def tell_ledger_failed(self, failed: Callable[[], bool]) -> None:
        """Ask this at each scrape whether records cannot be written."""
        self._ledger_failed.set_function(failed)

    def count(self, record: Record) -> None:
        """Take one finished record into account."""
        server = record.server or ""
        key = (server, record.method, record.outcome or "")
        counter = self._bound.get(key)
        if counter is None:
            counter = self._bound[key] = self._calls.labels(*key)
        counter.inc()
        total, upstream = record.total_us or 0, record.upstream_us or 0
        self._gateway.observe((total - upstream) / 1e6)
        if record.upstream_us is not None:
            waited = self._bound_upstream.get(server)
            if waited is None:
                waited = self._bound_upstream[server] = self._upstream.labels(server)
            waited.observe(upstream / 1e6)

    def text(self) -> bytes:
        """The Prometheus exposition."""
        return generate_latest(self._registry)
