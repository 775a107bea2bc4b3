"""What the readers of the ledger say of themselves at a scrape: how far behind they are, and what they dropped."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


class Reader(Protocol):
    """A delivery to a sink, as far as it is counted."""

    name: str
    delivered: int
    failed: int
    problem: str | None

    @property
    def lag(self) -> int:
        """Records it has not delivered yet."""
        ...

    @property
    def dead_letters(self) -> int:
        """Messages its receiver refused."""
        ...


class ReaderMetrics:
    """A collector of `prometheus_client`."""

    def __init__(
        self, readers: Sequence[Reader], unsigned: Callable[[], int], signing: Callable[[], bool]
    ) -> None:
        """`unsigned` says how many records no checkpoint covers yet, `signing` whether one still can."""
        self._readers = readers
        self._unsigned = unsigned
        self._signing = signing

    def collect(self) -> Iterator[Metric]:
        """The families as of now; called from whichever thread scrapes."""
        yield GaugeMetricFamily(
            "toolgate_ledger_unsigned_records", "Records no checkpoint covers yet.", value=self._unsigned()
        )
        yield GaugeMetricFamily(
            "toolgate_ledger_signing_failed",
            "1 once no checkpoint can be signed any more.",
            value=not self._signing(),
        )
        lag = GaugeMetricFamily(
            "toolgate_sink_lag_records", "Records a sink has not got yet.", labels=("sink",)
        )
        lost = GaugeMetricFamily(
            "toolgate_sink_failing", "1 while nothing gets through to a sink.", labels=("sink",)
        )
        delivered = CounterMetricFamily("toolgate_sink_delivered", "Messages a sink has.", labels=("sink",))
        failed = CounterMetricFamily(
            "toolgate_sink_failed_deliveries",
            "Deliveries that did not arrive, each try counted.",
            labels=("sink",),
        )
        dead = CounterMetricFamily(
            "toolgate_sink_dead_letters", "Messages a sink refused, kept beside the ledger.", labels=("sink",)
        )
        for reader in self._readers:
            labels = (reader.name,)
            lag.add_metric(labels, reader.lag)
            lost.add_metric(labels, reader.problem is not None)
            delivered.add_metric(labels, reader.delivered)
            failed.add_metric(labels, reader.failed)
            dead.add_metric(labels, reader.dead_letters)
        yield from (lag, lost, delivered, failed, dead)
