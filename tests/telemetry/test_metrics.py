"""What a scrape says is what was recorded."""

from prometheus_client.parser import text_string_to_metric_families

from toolgate.model import Record
from toolgate.telemetry.metrics import Metrics


def scraped(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for f in families for one in f.samples}


def finished(total: int, upstream: int | None, outcome: str = "ok") -> Record:
    record = Record(id="1", ts="", method="tools/call", server="bank", outcome=outcome)
    record.total_us, record.upstream_us = total, upstream
    return record


def test_calls_are_counted_by_how_they_ended() -> None:
    metrics = Metrics()
    for outcome in ("ok", "refused", "ok"):
        metrics.count(finished(100, 50, outcome))
    labels = (("method", "tools/call"), ("outcome", "ok"), ("server", "bank"))
    assert scraped(metrics)["toolgate_calls_total", labels] == 2


def test_the_gateways_time_is_told_apart_from_the_upstreams() -> None:
    metrics = Metrics()
    metrics.count(finished(2_000, 1_400))
    metrics.count(finished(400, None))
    seen = scraped(metrics)
    assert seen["toolgate_gateway_seconds_sum", ()] == 0.001
    assert seen["toolgate_gateway_seconds_bucket", (("le", "0.0005"),)] == 1
    assert seen["toolgate_gateway_seconds_bucket", (("le", "0.001"),)] == 2
    assert seen["toolgate_gateway_seconds_count", ()] == 2
    assert seen["toolgate_upstream_seconds_sum", (("server", "bank"),)] == 0.0014
    assert seen["toolgate_upstream_seconds_count", (("server", "bank"),)] == 1


def test_a_ledger_that_cannot_be_written_is_a_gauge() -> None:
    metrics = Metrics()
    failed = True
    metrics.tell_ledger_failed(lambda: failed)
    assert scraped(metrics)["toolgate_ledger_failed", ()] == 1
    failed = False
    assert scraped(metrics)["toolgate_ledger_failed", ()] == 0
