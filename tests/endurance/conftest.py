import time
from collections.abc import Callable, Iterator

import pytest
from garbage import MAX_BODY
from gateway_support import Running, serve_bank


@pytest.fixture
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    bank = serve_bank()
    more = f"limits: {{body: {MAX_BODY // 1024}KiB}}\nlog: {{level: warning}}\n"
    running = Running(tmp_path_factory.mktemp("gateway"), bank.server_address[1], more)
    yield running
    if running.process.poll() is None:
        running.stop()
    bank.shutdown()
    bank.server_close()


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Says at once how far a test has come."""
    started = time.monotonic()

    def tell(text: str) -> None:
        with capsys.disabled():
            print(f"{time.monotonic() - started:6.0f} s  {request.node.name}: {text}", flush=True)

    return tell
