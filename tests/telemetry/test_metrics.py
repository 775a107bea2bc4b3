"""What a scrape says is what was recorded."""

import pytest
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


def called(tool: str = "read", agent: str = "closing", outcome: str = "ok") -> Record:
    record = finished(2_000, 1_400 if outcome != "refused" else None, outcome)
    record.kind, record.target, record.agent = "tool", tool, agent
    record.request_bytes, record.response_bytes = 10, 30
    return record


def labels(**known: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(known.items()))


def test_each_tool_and_agent_is_told_apart_and_refusals_from_failures() -> None:
    metrics = Metrics()
    for outcome in ("ok", "ok", "tool_error", "refused"):
        metrics.count(called(outcome=outcome))
    seen = scraped(metrics)
    tool = {"server": "bank", "tool": "read"}
    assert seen["toolgate_tool_seconds_count", labels(**tool)] == 3
    assert seen["toolgate_tool_calls_total", labels(**tool, outcome="refused")] == 1
    assert seen["toolgate_tool_calls_total", labels(**tool, outcome="tool_error")] == 1
    assert seen["toolgate_agent_calls_total", labels(agent="closing", outcome="ok")] == 2
    assert seen["toolgate_request_bytes_total", labels(server="bank")] == 30
    assert seen["toolgate_response_bytes_total", labels(server="bank")] == 90


def test_names_that_callers_make_up_never_become_labels() -> None:
    metrics = Metrics()
    for number in range(50):
        metrics.count(called(f"made-up-{number}", outcome="refused"))
        metrics.count(called(f"made-up-{number}", outcome="error"))
    tools = {dict(key)["tool"] for name, key in scraped(metrics) if name == "toolgate_tool_calls_total"}
    assert tools == {"other"}


def test_labels_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolgate.telemetry.metrics.MAX_TOOLS", 3)
    monkeypatch.setattr("toolgate.telemetry.metrics.MAX_AGENTS", 3)
    metrics = Metrics()
    for number in range(20):
        metrics.count(called(f"tool-{number}", f"agent-{number}"))
    seen = scraped(metrics)
    assert {dict(key)["tool"] for name, key in seen if name == "toolgate_tool_calls_total"} == {
        "tool-0",
        "tool-1",
        "tool-2",
        "other",
    }
    assert len({dict(key)["agent"] for name, key in seen if name == "toolgate_agent_calls_total"}) == 4
    assert seen["toolgate_agent_calls_total", labels(agent="other", outcome="ok")] == 17


def test_combinations_are_bounded_and_every_call_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolgate.telemetry.metrics.MAX_ROWS", 5)
    metrics = Metrics()
    for number in range(30):
        metrics.count(called(f"tool-{number % 3}", f"agent-{number % 10}"))
    seen = scraped(metrics)
    assert sum(n for (name, _), n in seen.items() if name == "toolgate_agent_calls_total") == 30
    assert seen["toolgate_agent_calls_total", labels(agent="agent-0", outcome="ok")] == 1
    assert seen["toolgate_agent_calls_total", labels(agent="other", outcome="ok")] > 0
    for tool in range(3):
        assert (
            seen["toolgate_tool_calls_total", labels(server="bank", tool=f"tool-{tool}", outcome="ok")] == 10
        )
