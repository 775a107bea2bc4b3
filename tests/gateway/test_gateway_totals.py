"""Sums over a window in a running gateway: calls at the same time, failures, a restart."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gateway_support import Running, records, serve_bank

from toolgate.errors import UPSTREAM_FAILED, UPSTREAM_UNAVAILABLE

POLICY = """
version: 1
reason: {default: Over the limit., de: Über der Grenze.}
totals:
  - {id: paid, tools: ["bank/*", "dead/*"], sum: args.amount, per: everybody, window: 24h}
rules:
  - {id: pay, tools: ["*"], when: total.paid <= 1000, effect: allow}
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    bank = serve_bank()
    running = Running(tmp_path, bank.server_address[1], policy=POLICY)
    yield running
    running.stop()
    bank.shutdown()
    bank.server_close()


def pay(gateway: Running, amount: int, tool: str = "slow", server: str = "bank") -> int | str:
    """`paid`, `denied`, or the code of the error."""
    params = {"name": tool, "arguments": {"amount": amount}}
    answer = gateway.modern("tools/call", params, path=f"/servers/{server}/mcp")[2]
    if "error" in answer:
        return int(answer["error"]["code"])
    return "denied" if "isError" in answer["result"] else "paid"


def test_calls_at_the_same_time_cannot_pass_a_limit_together_and_a_restart_forgets_nothing(
    gateway: Running,
) -> None:
    """AZ-27, H2: counted before dispatch."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: pay(gateway, 300), range(8)))
    assert sorted(answers, key=str) == ["denied"] * 5 + ["paid"] * 3
    gateway.stop(signal.SIGKILL)
    gateway.start()
    assert pay(gateway, 101) == "denied"
    assert pay(gateway, 100) == "paid"
    counted = [record["totals"] for record in records(gateway.folder) if record.get("totals")]
    assert counted == [{"paid": ["everybody", 300]}] * 3 + [{"paid": ["everybody", 100]}]


def test_a_call_that_never_reached_its_server_gives_its_amount_back_and_a_lost_answer_does_not(
    gateway: Running,
) -> None:
    assert pay(gateway, 900, server="dead") == UPSTREAM_UNAVAILABLE
    assert pay(gateway, 600, "lie_json") == UPSTREAM_FAILED
    assert pay(gateway, 401, "read_account") == "denied"
    assert pay(gateway, 400, "read_account") == "paid"


def test_a_refusal_is_told_in_the_language_of_the_client(gateway: Running) -> None:
    """AZ-23"""
    params = {"name": "read_account", "arguments": {"amount": 2000}}
    for accept, text in (("de-AT, en;q=0.5", "Über der Grenze."), ("fr", "Over the limit.")):
        answer = gateway.modern("tools/call", params, headers={"Accept-Language": accept})[2]
        assert answer["result"]["content"][0]["text"] == text
