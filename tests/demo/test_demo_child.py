"""Children of the demo: real processes, as they come up and as they do not."""

import sys
from pathlib import Path

import pytest

from toolgate.demo import child
from toolgate.demo.child import ChildError, answers, running, tail
from toolgate.demo.stage import free_ports

WAITS = "import time; time.sleep(60)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {WAITS}"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def never() -> bool:
    return False


async def test_a_child_that_ends_before_it_is_ready_is_an_error_at_once(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    with pytest.raises(ChildError, match="short ended with 3 before it was ready"):
        async with running(
            "short", python("import sys; print('cannot', file=sys.stderr); sys.exit(3)"), log
        ) as one:
            await one.ready(never)
    assert tail(log) == ["cannot"]


async def test_a_child_that_never_gets_ready_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "START", 0.1)
    with pytest.raises(ChildError, match="slow was not ready"):
        async with running("slow", python(WAITS), tmp_path / "child.log") as one:
            await one.ready(never)


async def test_a_child_that_does_not_listen_to_reason_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "STOP", 0.1)
    log = tmp_path / "child.log"
    async with running("deaf", python(DEAF), log) as one:
        await one.ready(lambda: tail(log) == ["deaf"])
    assert one.returncode == -9


async def test_a_child_is_stopped_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with running("waits", python(WAITS), tmp_path / "child.log") as one:
            raise ZeroDivisionError
    assert one.returncode == -15


def test_a_child_that_never_started_has_no_last_lines(tmp_path: Path) -> None:
    assert tail(tmp_path / "none.log") == []


def test_a_port_nobody_listens_on_does_not_answer() -> None:
    [port] = free_ports(1)
    assert not answers(port, "/readyz", 200)
