from collections.abc import Iterator
from pathlib import Path

import pytest
from sink_support import Growing

from toolgate.sinks import delivery


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.005)
    monkeypatch.setattr(delivery, "LONGEST_PAUSE", 0.05)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Growing]:
    growing = Growing(tmp_path / "ledger")
    yield growing
    growing.close()
