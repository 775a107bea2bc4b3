"""What a running gateway leaves for its auditors."""

import json

from gateway_support import Running, records

from toolgate.ledger.note import VerifierKey
from toolgate.ledger.verify import verify


def test_a_stopped_gateway_has_signed_all_it_recorded(gateway: Running) -> None:
    assert gateway.modern("tools/call", {"name": "read_account", "arguments": {}})[0] == 200
    assert json.loads(gateway.send("GET", "/readyz")[2])["checkpoints"] == "ok"
    gateway.stop()
    start, call, stop = records(gateway.folder)
    assert [start["method"], call["method"], stop["method"]] == ["start", "tools/call", "stop"]
    key = VerifierKey.parse(start["arguments"]["checkpoint_key"])
    report = verify(gateway.folder / "ledger", key=key)
    assert (report.findings, report.checkpoint) == ([], 3)
