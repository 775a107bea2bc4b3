"""The contract of sinks against what users have: Apache Kafka and an OpenTelemetry collector. `make receivers`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from real_receivers import REAL
from sink_contract import LeavingContract
from sink_receivers import Receiver
from sink_support import Growing

from toolgate.sinks import delivery


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.005)
    monkeypatch.setattr(delivery, "LONGEST_PAUSE", 0.05)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Growing]:
    growing = Growing(tmp_path / "ledger")
    yield growing
    growing.close()


class TestRealReceivers(LeavingContract):
    @pytest.fixture(params=sorted(REAL))
    def receiver(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Receiver]:
        one = REAL[request.param](tmp_path)
        yield one
        one.close()
