"""What operators count on: reload without a failed call, and no answered call missing after kill -9."""

import http.client
import itertools
import json
import signal
import threading
import time

from gateway_support import JSON, META, MODERN, POLICY, Running, bearer, records

from toolgate.ledger.digest import Digest, load_key
from toolgate.ledger.verify import verify

HEADERS = {
    **JSON,
    **bearer("teller"),
    "MCP-Protocol-Version": MODERN,
    "Mcp-Method": "tools/call",
    "Mcp-Name": "read_account",
}


class Load(threading.Thread):
    """Calls as fast as it can until told to stop; keeps the number of each call that was answered."""

    numbers = itertools.count()

    def __init__(self, gateway: Running) -> None:
        super().__init__(daemon=True)
        self.gateway = gateway
        self.answered: list[int] = []
        self.failed: list[object] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=5)
        try:
            while not self.stopping.is_set():
                self._call(connection)
        except (OSError, http.client.HTTPException) as error:
            self.failed.append(error)
        finally:
            connection.close()

    def _call(self, connection: http.client.HTTPConnection) -> None:
        number = next(self.numbers)
        params = {"name": "read_account", "arguments": {"n": number}, "_meta": META}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        connection.request("POST", "/servers/bank/mcp", body, HEADERS)
        with connection.getresponse() as answer:
            answer.read()
        if answer.status == 200:
            self.answered.append(number)
        else:
            self.failed.append(answer.status)


def test_kill_9_under_load_loses_no_answered_call(gateway: Running) -> None:
    answered: list[int] = []
    for _ in range(5):
        loads = [Load(gateway) for _ in range(4)]
        for load in loads:
            load.start()
        deadline = time.monotonic() + 5
        while sum(len(load.answered) for load in loads) < 200 and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        gateway.stop(signal.SIGKILL)
        for load in loads:
            load.join(10)
            answered += load.answered
        gateway.start()
    assert len(answered) >= 200
    digest = Digest(load_key(gateway.folder / "ledger"))
    recorded = {record.get("arguments_digest") for record in records(gateway.folder)}
    assert [number for number in answered if digest.of({"n": number}) not in recorded] == []
    assert verify(gateway.folder / "ledger").ok


def _policy_version(gateway: Running) -> dict[str, object]:
    return dict(json.loads(gateway.send("GET", "/readyz")[2]))


def _wait(gateway: Running, key: str, other_than: object) -> object:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        value = _policy_version(gateway)[key]
        if value != other_than:
            return value
        threading.Event().wait(0.02)
    raise AssertionError(f"{key} stayed {other_than}")


def test_reloads_under_load_fail_no_call(gateway: Running) -> None:
    load = Load(gateway)
    load.start()
    for number in range(5):
        before = _policy_version(gateway)["policy"]
        extra = f"  - {{id: extra-{number}, tools: ['bank/extra'], effect: deny}}\n"
        (gateway.folder / "policy.yaml").write_text(POLICY + extra)
        gateway.process.send_signal(signal.SIGHUP)
        _wait(gateway, "policy", before)
    load.stopping.set()
    load.join(10)
    assert load.failed == []
    assert load.answered


def test_a_bad_file_changes_nothing_and_says_why(gateway: Running) -> None:
    before = _policy_version(gateway)
    (gateway.folder / "policy.yaml").write_text("version: 1\nruls: []\n")
    gateway.process.send_signal(signal.SIGHUP)
    assert _wait(gateway, "config_on_disk", "in force") == "refused"
    assert _policy_version(gateway)["policy"] == before["policy"]
    assert gateway.modern("tools/call", {"name": "read_account", "arguments": {}})[0] == 200
    assert "policy.yaml:2:1: ruls" in (gateway.folder / "stderr").read_text()
    assert "config_refused" in {record["method"] for record in records(gateway.folder)}
