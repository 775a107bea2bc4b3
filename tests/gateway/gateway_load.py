"""Callers that never rest, and what operators do to a gateway meanwhile: kill it, reload it. As often as asked."""

import http.client
import itertools
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway_support import JSON, META, MODERN, POLICY, Running, bearer, records

from toolgate.ledger.digest import Digest, load_key

HEADERS = {
    **JSON,
    **bearer("teller"),
    "MCP-Protocol-Version": MODERN,
    "Mcp-Method": "tools/call",
    "Mcp-Name": "read_account",
}
CALLERS = 4
CALLS = 200
"""Answers that each run must give before it is killed."""
CALLS_BETWEEN = 50
"""Answers between two reloads."""

WAIT = 30

Tell = Callable[[str], object]


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
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=WAIT)
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


@contextmanager
def under_load(gateway: Running) -> Iterator[list[Load]]:
    """Callers at work; afterwards all of them have stopped."""
    loads = [Load(gateway) for _ in range(CALLERS)]
    for load in loads:
        load.start()
    try:
        yield loads
    finally:
        for load in loads:
            load.stopping.set()
        for load in loads:
            load.join(WAIT)


def kill_under_load(gateway: Running, times: int, tell: Tell) -> list[int]:
    """`kill -9` so many times, each under load, and start again. The numbers of all calls that were answered."""
    answered: list[int] = []
    for turn in range(times):
        with under_load(gateway) as loads:
            until(lambda loads=loads: _answered(loads) >= CALLS)
            gateway.stop(signal.SIGKILL)
        answered += [number for load in loads for number in load.answered]
        gateway.start()
        tell(f"kill {turn + 1} of {times}: {len(answered)} calls answered")
    return answered


def unrecorded(gateway: Running, answered: list[int]) -> list[int]:
    """Which of these calls the ledger does not hold."""
    digest = Digest(load_key(gateway.folder / "ledger"))
    recorded = {
        record["arguments_digest"]
        for record in records(gateway.folder)
        if record.get("outcome") == "ok" and "arguments_digest" in record
    }
    return [number for number in answered if digest.of({"n": number}) not in recorded]


def reload_under_load(gateway: Running, times: int, tell: Tell) -> tuple[int, list[object]]:
    """Change the policy and reload so many times under load. How many calls were answered, and what failed."""
    with under_load(gateway) as loads:
        for turn in range(times):
            before = state(gateway)["policy"]
            extra = f"  - {{id: extra-{turn}, tools: ['bank/extra'], effect: deny}}\n"
            (gateway.folder / "policy.yaml").write_text(POLICY + extra)
            gateway.process.send_signal(signal.SIGHUP)
            until(lambda before=before: state(gateway)["policy"] != before)
            enough = _answered(loads) + CALLS_BETWEEN
            until(lambda enough=enough: _answered(loads) >= enough or any(load.failed for load in loads))
            tell(f"reload {turn + 1} of {times}: {_answered(loads)} calls answered")
    return _answered(loads), [one for load in loads for one in load.failed]


def _answered(loads: list[Load]) -> int:
    return sum(len(load.answered) for load in loads)


def state(gateway: Running) -> dict[str, object]:
    """What the gateway says of itself."""
    return dict(json.loads(gateway.send("GET", "/readyz")[2]))


def until(fact: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + WAIT
    while not fact():
        assert time.monotonic() < deadline, "this never came true"
        threading.Event().wait(0.01)
