"""What a running gateway leaves for its auditors."""

import json
import resource
import threading
from pathlib import Path

import pytest
from gateway_support import Running, records, serve_bank

from toolgate.ledger.inbox import leave
from toolgate.ledger.note import VerifierKey
from toolgate.ledger.subjects import secret_in
from toolgate.ledger.values import unsealed
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


def test_a_full_disk_is_spooled_told_and_made_up_for(gateway: Running) -> None:
    """DORA RTS Art. 12, PCI DSS 10.7: a failure of logging is noticed, and nothing promised is lost."""
    if gateway.process.poll() is not None:
        gateway.start()
    assert [call(gateway) for _ in range(80)] == [200] * 80
    before = len(records(gateway.folder))
    size = next((gateway.folder / "ledger").glob("0*.jsonl")).stat().st_size
    hard = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE)[1]
    # No file may grow past this: to the process a disk without room. The spool has its room already.
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (size + 100, hard))
    assert [call(gateway) for _ in range(30)] == [200] * 30
    ready = json.loads(gateway.send("GET", "/readyz")[2])
    assert (ready["ledger"], ready["ready"]) == ("spooling", True)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    for _ in range(400):
        if json.loads(gateway.send("GET", "/readyz")[2])["ledger"] == "ok":
            break
        threading.Event().wait(0.05)
    found = records(gateway.folder)[before:]
    assert [record["method"] for record in found] == ["ledger/outage", *["tools/call"] * 30]
    assert found[0]["arguments"]["kept"] == 30
    assert verify(gateway.folder / "ledger").findings == []


def call(gateway: Running) -> int:
    return gateway.modern("tools/call", {"name": "read_account", "arguments": {}})[0]


def test_what_others_do_to_the_ledger_is_recorded(gateway: Running) -> None:
    if gateway.process.poll() is not None:
        gateway.start()
    leave(gateway.folder / "ledger", "ledger/read", "3 records shown", records=3)
    gateway.stop()
    gateway.start()
    gateway.stop()
    read = [record for record in records(gateway.folder) if record["method"] == "ledger/read"]
    assert [(record["detail"], record["arguments"]["records"]) for record in read] == [("3 records shown", 3)]


@pytest.mark.parametrize("values", ["none", "redacted", "sealed", "full"])
def test_a_record_keeps_of_a_call_what_the_config_says(values: str, tmp_path: Path) -> None:
    bank = serve_bank()
    gateway = Running(tmp_path, bank.server_address[1], f"ledger: {{values: {values}}}\n")
    arguments = {"account": "DE89 3704"}
    assert gateway.modern("tools/call", {"name": "read_account", "arguments": arguments})[0] == 200
    gateway.stop()
    bank.shutdown()
    bank.server_close()
    (record,) = [one for one in records(tmp_path) if one["method"] == "tools/call"]
    assert record.get("arguments") == {"redacted": {"account": "string of 9"}, "full": arguments}.get(values)
    assert ("arguments_digest" in record) is (values in ("redacted", "sealed"))
    if values == "sealed":
        assert record["principal"].startswith("~")
        opened = unsealed(record, secret_in(tmp_path / "ledger/subjects"))
        assert opened["arguments"] == arguments
        assert not opened["principal"].startswith("~")
    assert verify(tmp_path / "ledger").findings == []
