from collections.abc import Iterator

import pytest
from gateway_support import Running, serve_bank


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    bank = serve_bank()
    running = Running(tmp_path_factory.mktemp("gateway"), bank.server_address[1])
    yield running
    if running.process.poll() is None:
        running.stop()
    bank.shutdown()
    bank.server_close()
