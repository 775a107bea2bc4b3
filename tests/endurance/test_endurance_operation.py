"""At full count: no answered call is lost when the gateway is killed, none fails when it is reloaded."""

from collections.abc import Callable

from gateway_load import CALLS, kill_under_load, reload_under_load, unrecorded
from gateway_support import Running

from toolgate.ledger.verify import verify

KILLS = 20
RELOADS = 50


def test_twenty_kills_lose_no_answered_call(gateway: Running, tell: Callable[[str], None]) -> None:
    answered = kill_under_load(gateway, KILLS, tell)
    missing = unrecorded(gateway, answered)
    report = verify(gateway.folder / "ledger")
    tell(f"{len(answered)} calls answered, {len(missing)} missing; {report.records} records, {report.ok=}")
    assert len(answered) >= KILLS * CALLS
    assert missing == []
    assert report.ok


def test_fifty_reloads_fail_no_call(gateway: Running, tell: Callable[[str], None]) -> None:
    answered, failed = reload_under_load(gateway, RELOADS, tell)
    tell(f"{answered} calls answered, {len(failed)} failed")
    assert failed == []
    assert answered
