"""The bank server as a real process, and an address it can be reached at."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolgate.demo.child import answers
from toolgate.demo.stage import find_examples, free_ports

DEADLINE = 15


@pytest.fixture(scope="session")
def bank_folder() -> Path:
    """Where the example lies."""
    return find_examples()


@pytest.fixture(scope="module")
def bank_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQLite file of the running bank."""
    return tmp_path_factory.mktemp("bank") / "bank.db"


@pytest.fixture(scope="module")
def bank_url(bank_folder: Path, bank_file: Path) -> Iterator[str]:
    """A bank server of this module's own."""
    [port] = free_ports(1)
    command = [
        sys.executable,
        str(bank_folder / "bank_server.py"),
        "--port",
        str(port),
        "--db",
        str(bank_file),
    ]
    with subprocess.Popen(command) as server:
        try:
            deadline = time.monotonic() + DEADLINE
            while not answers(port, "/mcp"):
                assert server.poll() is None, "the bank ended before it listened"
                assert time.monotonic() < deadline, "the bank does not listen"
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            server.terminate()
            assert server.wait(DEADLINE) in (0, -15)
