"""Sinks of a running gateway: complete after any end, and told of at the scrape."""

import json
import re
import signal
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_support import JSON, META, MODERN, Bank, Running, bearer, free_port, records, serve_bank
from sink_receivers import HttpOtlp, HttpWebhook

from toolgate.ledger.verify import verify


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[HttpWebhook]:
    receiver = HttpWebhook(tmp_path)
    yield receiver
    receiver.close()


@pytest.fixture
def observed(tmp_path: Path, webhook: HttpWebhook) -> Iterator[tuple[Running, int]]:
    """A gateway with sinks and an admin address, and the port of that."""
    bank, admin = serve_bank(), free_port()
    more = f"""
sinks:
  log: {{type: file, path: ./out.jsonl, form: record}}
  siem: {{type: webhook, url: "http://127.0.0.1:{webhook.port}/", headers: {{authorization: Bearer token}},
         secret: a secret of the receiver}}
"""
    running = Running(tmp_path, bank.server_address[1], more)
    running.stop()
    text = running.config.read_text().replace("admin: null", f"admin: 127.0.0.1:{admin}")
    running.config.write_text(text)
    running.start()
    yield running, admin
    if running.process.poll() is None:
        running.stop()
    bank.shutdown()
    bank.server_close()


def call(gateway: Running, name: str = "read_account") -> int:
    return gateway.modern("tools/call", {"name": name, "arguments": {}})[0]


def test_each_sink_is_complete_after_kill_9(observed: tuple[Running, int], webhook: HttpWebhook) -> None:
    """At least once, by id: what the ledger has, every sink has, in the ledger's order."""
    gateway, _ = observed
    for _ in range(3):
        for _ in range(20):
            assert call(gateway) == 200
        gateway.stop(signal.SIGKILL)
        gateway.start()
    gateway.stop()
    report = verify(gateway.folder / "ledger")
    assert report.findings == []
    ids = [record["id"] for record in records(gateway.folder)]
    lines = (gateway.folder / "out.jsonl").read_text().splitlines()
    assert list(dict.fromkeys(json.loads(line)["id"] for line in lines)) == ids
    assert list(dict.fromkeys(webhook.ids())) == ids


def test_the_scrape_tells_how_far_behind_each_sink_is(
    observed: tuple[Running, int], webhook: HttpWebhook
) -> None:
    gateway, admin = observed
    assert call(gateway) == 200
    deadline = threading.Event()
    for _ in range(400):
        text = scraped(admin)
        if 'toolgate_sink_lag_records{sink="siem"} 0.0' in text and re.search(
            r'sink_delivered_total\{sink="siem"\} [1-9]', text
        ):
            break
        deadline.wait(0.05)
    else:
        raise AssertionError(text)
    for line in (
        'toolgate_sink_failing{sink="log"} 0.0',
        'toolgate_sink_dead_letters_total{sink="siem"} 0.0',
        "toolgate_ledger_signing_failed 0.0",
        "toolgate_ledger_unsigned_records",
    ):
        assert line in text
    assert json.loads(gateway.send("GET", "/readyz")[2])["sinks"] == {"log": "ok", "siem": "ok"}


def test_a_call_is_one_trace_from_its_caller_to_the_server(tmp_path: Path) -> None:
    """SEP-414: the parent comes from `_meta` and is rewritten there; the header says the same."""
    bank, collector = serve_bank(), HttpOtlp(tmp_path)
    more = f"sinks: {{otel: {{type: otlp, url: 'http://127.0.0.1:{collector.port}'}}}}\n"
    gateway = Running(tmp_path, bank.server_address[1], more)
    try:
        trace = "0af7651916cd43dd8448eb211c80319c"
        for headers, meta in (
            ({"traceparent": f"00-{trace}-b7ad6b7169203331-01"}, {}),
            ({}, {"traceparent": f"00-{trace}-b7ad6b7169203332-01"}),
        ):
            params = {"name": "read_account", "arguments": {}}
            body = {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {**params, "_meta": {**META, **meta}},
            }
            sent = {**JSON, **bearer("teller"), "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call"}
            sent |= {"Mcp-Name": "read_account", **headers}
            assert gateway.send("POST", "/servers/bank/mcp", json.dumps(body).encode(), sent)[0] == 200
    finally:
        gateway.stop()
        bank.shutdown()
        bank.server_close()
        collector.close()
    seen = [one for one in Bank.seen if one["message"]["method"] == "tools/call"][-2:]
    servers = [span for span in collector.spans() if span["kind"] == 2 and span["traceId"] == trace]
    clients = [span for span in collector.spans() if span["kind"] == 3 and span["traceId"] == trace]
    assert [span["parentSpanId"] for span in servers] == ["b7ad6b7169203331", "b7ad6b7169203332"]
    for server, client, one in zip(servers, clients, seen, strict=True):
        onward = f"00-{trace}-{client['spanId']}-01"
        assert client["parentSpanId"] == server["spanId"]
        assert one["message"]["params"]["_meta"]["traceparent"] == onward
        assert one["headers"]["traceparent"] == onward


def scraped(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()
