"""The contract of sinks over all of them; `make receivers` holds it against a real broker and a real collector."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sink_contract import Contract, LeavingContract
from sink_receivers import RECEIVERS, MockKafka, Receiver


class TestSinks(LeavingContract):
    @pytest.fixture(params=sorted(RECEIVERS))
    def receiver(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Receiver]:
        one = RECEIVERS[request.param](tmp_path)
        yield one
        one.close()


class TestKafkaWithAMockBroker(Contract):
    """It speaks the protocol, but cannot go away and keep what it has."""

    @pytest.fixture
    def receiver(self, tmp_path: Path) -> Receiver:
        return MockKafka(tmp_path)
