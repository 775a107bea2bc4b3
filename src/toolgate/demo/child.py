"""A child process: started, asked until it is ready, stopped. Knows nothing of what runs in it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

START = 20.0
"""Seconds a child may take until it is ready: generous, for machines under load."""

STOP = 5.0
"""Seconds a child may take to stop before it is killed."""

PAUSE = 0.05
TAIL_LINES = 15


class ChildError(Exception):
    """A child that did not come up."""


class Child:
    """One running child."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.returncode

    async def ready(self, asked: Callable[[], bool]) -> None:
        """Wait until `asked()` (run in a thread) says yes. Raises `ChildError`."""
        deadline = time.monotonic() + START
        while not await asyncio.to_thread(asked):
            if self._process.returncode is not None:
                raise ChildError(f"{self.name} ended with {self._process.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise ChildError(f"{self.name} was not ready after {START:.0f} s")
            await asyncio.sleep(PAUSE)

    async def stop(self) -> None:
        """Ask it to stop, kill it where that does not help, and wait for its end."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def running(name: str, command: list[str], log: Path) -> AsyncIterator[Child]:
    """Start `command` in the folder of `log`, where its stdout and stderr go, and stop it after the block."""
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=log.parent,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            # An interrupt from the terminal must reach the story alone, which stops its children in order.
            start_new_session=True,
        )
    child = Child(name, process)
    try:
        yield child
    finally:
        await child.stop()


def tail(log: Path) -> list[str]:
    """The last lines a child wrote; none where it never started."""
    if not log.exists():
        return []
    return log.read_text(errors="replace").splitlines()[-TAIL_LINES:]


def answers(port: int, path: str, status: int | None = None) -> bool:
    """Whether a GET on loopback is answered: with `status`, or at all."""
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path)
        return status is None or connection.getresponse().status == status
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
