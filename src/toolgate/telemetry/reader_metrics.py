"""What the readers of the ledger say of themselves at a scrape: how far behind they are, and what they dropped."""

from collections.abc import Iterator, Sequence
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


class Written(Protocol):
    """The ledger's writer, as far as it is counted."""

    @property
    def kept(self) -> int:
        """Records kept aside."""
        ...

    @property
    def lost(self) -> int:
        """Calls answered unrecorded."""
        ...


class Signed(Protocol):
    """The checkpoints, as far as they are counted."""

    problem: str | None

    @property
    def lag(self) -> int:
        """Records no checkpoint covers yet."""
        ...


class ReaderMetrics:
    """A collector of `prometheus_client`."""

    def __init__(self, readers: Sequence[Reader], ledger: Written, checkpoints: Signed) -> None:
        self._readers = readers
        self._ledger = ledger
        self._checkpoints = checkpoints

    def collect(self) -> Iterator[Metric]:
        """The families as of now; called from whichever thread scrapes."""
        ledger, signed = self._ledger, self._checkpoints
        yield GaugeMetricFamily(
            "toolgate_ledger_spooled_records",
            "Records kept aside until they can be written.",
            value=ledger.kept,
        )
        yield CounterMetricFamily(
            "toolgate_ledger_unrecorded_calls", "Calls answered without a record.", value=ledger.lost
        )
        yield GaugeMetricFamily(
            "toolgate_ledger_unsigned_records", "Records no checkpoint covers yet.", value=signed.lag
        )
        yield GaugeMetricFamily(
            "toolgate_ledger_signing_failed",
            "1 while no checkpoint can be signed.",
            value=signed.problem is not None,
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
