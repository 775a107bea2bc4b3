"""What operators count on: reload without a failed call, and no answered call missing after kill -9.

At full count: `make endurance`.
"""

import signal

from gateway_load import CALLS, kill_under_load, reload_under_load, state, unrecorded, until
from gateway_support import Running, records

from toolgate.ledger.verify import verify


def test_kill_9_under_load_loses_no_answered_call(gateway: Running) -> None:
    answered = kill_under_load(gateway, 3, tell=str)
    assert len(answered) >= 3 * CALLS
    assert unrecorded(gateway, answered) == []
    assert verify(gateway.folder / "ledger").ok


def test_reloads_under_load_fail_no_call(gateway: Running) -> None:
    answered, failed = reload_under_load(gateway, 5, tell=str)
    assert failed == []
    assert answered


def test_a_bad_file_changes_nothing_and_says_why(gateway: Running) -> None:
    before = state(gateway)
    (gateway.folder / "policy.yaml").write_text("version: 1\nruls: []\n")
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: state(gateway)["config_on_disk"] == "refused")
    assert state(gateway)["policy"] == before["policy"]
    assert gateway.modern("tools/call", {"name": "read_account", "arguments": {}})[0] == 200
    assert "policy.yaml:2:1: ruls" in (gateway.folder / "stderr").read_text()
    assert "config_refused" in {record["method"] for record in records(gateway.folder)}
