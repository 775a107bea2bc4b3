"""One child process and its group: lines in, lines out, always reaped. Knows no JSON."""

import asyncio
import logging
import math
import os
import resource
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import cast

from msgspec import Struct

from toolgate.errors import Refusal
from toolgate.protocol.lines import Lines, LineTooLong, pack
from toolgate.upstreams.stderr import Stderr

STDIN, STDOUT, STDERR = 0, 1, 2
FULL = 256 * 1024
"""Bytes waiting for the child's stdin from which on writers wait."""
SETTLE = 0.25
"""Seconds between the first sign of an end (a pipe closed, an exit seen) and taking it for one."""


class Limits(Struct, frozen=True):
    """What a process may use, and each that it starts; None is no bound."""

    memory: int | None = None
    """Bytes of address space."""
    cpu: float | None = None
    """Seconds on a processor."""
    files: int | None = None
    """Open descriptors."""


class Command(Struct, frozen=True):
    """What to run. No shell reads it."""

    program: str
    args: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str | None = None
    max_line: int = 4 * 1024 * 1024
    limits: Limits = Limits()


class Child(asyncio.SubprocessProtocol):
    """A process in a group of its own. `heard` gets every line, `ended` the reason of the end, once.

    Whoever was told of the end still has to `stop` it.
    """

    def __init__(
        self,
        max_line: int,
        log: logging.Logger,
        heard: Callable[[bytes], None],
        ended: Callable[[str], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines = Lines(max_line)
        self._stderr = Stderr(log)
        self._heard = heard
        self._on_end = ended
        self._transport: asyncio.SubprocessTransport
        self._stdin: asyncio.WriteTransport
        self._group = 0
        self._outputs = {STDOUT, STDERR}
        self._exited: asyncio.Future[None] = self._loop.create_future()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._writable = asyncio.Event()
        self._writable.set()
        self._settling: asyncio.TimerHandle | None = None
        self._ended = False

    async def ready(self, seconds: float) -> None:
        """Wait while the child does not read its input; `TimeoutError` where that takes longer."""
        if not self._writable.is_set():
            async with asyncio.timeout(seconds):
                # Whoever was woken before us may have filled the pipe again.
                while not self._writable.is_set():
                    await self._writable.wait()

    def write(self, message: bytes, lost: Callable[[Refusal], None] | None = None) -> None:
        """Hand over one message, after `ready`. What does not arrive ends the child, so `lost` is not needed."""
        if not self._ended and not self._stdin.is_closing():
            self._stdin.write(pack(message))

    def post(self, message: bytes) -> None:
        """Hand over one message at once; it is lost where the child does not read."""
        if self._writable.is_set():
            self.write(message)

    async def stop(self, patience: float) -> None:
        """Close stdin, then SIGTERM, then SIGKILL, `patience` seconds apart. Leaves nobody of the group."""
        self._end("was stopped")
        try:
            self._stdin.close()
            if not await _within(patience, self._exited):
                self._signal(signal.SIGTERM)
                await _within(patience, self._exited)
        finally:
            self._signal(signal.SIGKILL)
        await _within(patience, self._exited)
        self._transport.close()
        await _within(patience, self._closed)

    def _signal(self, number: signal.Signals) -> None:
        # Once the leader is reaped and its group killed, the number may come to belong to strangers. Before the
        # child is known the number is 0, which would be our own group.
        if self._group and not self._exited.done():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, number)

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self._stdin = cast("asyncio.WriteTransport", self._transport.get_pipe_transport(STDIN))
        self._stdin.set_write_buffer_limits(high=FULL)
        self._group = self._transport.get_pid()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == STDERR:
            self._stderr.feed(data)
        elif not self._ended:
            self._read(data)

    def _read(self, data: bytes) -> None:
        try:
            for line in self._lines.feed(data):
                self._heard(line)
        except LineTooLong as error:
            self._end(f"sent an endless stream: {error}")
            self._signal(signal.SIGKILL)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._outputs.discard(fd)
        if fd != STDERR or self._exited.done():
            self._settle()

    def process_exited(self) -> None:
        self._signal(signal.SIGKILL)  # Grandchildren would keep the pipes open, and live on.
        self._exited.set_result(None)
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport.close()
        self._closed.set_result(None)

    def _settle(self) -> None:
        # What was said last arrives before the pipes close, the status of the exit before or after.
        if self._exited.done() and not self._outputs:
            self._end(self._epitaph())
        elif self._settling is None and not self._ended:
            self._settling = self._loop.call_later(SETTLE, lambda: self._end(self._epitaph()))

    def _end(self, reason: str) -> None:
        if self._settling is not None:
            self._settling.cancel()
        if not self._ended:
            self._ended = True
            self._writable.set()
            self._on_end(reason)

    def _epitaph(self) -> str:
        status = self._transport.get_returncode()
        if status is None:
            end = "closed its pipes"
        else:
            end = f"exited with status {status}" if status >= 0 else f"was killed by signal {-status}"
        last = self._stderr.last()
        return f"{end}: {last}" if last else end


async def start(
    command: Command, log: logging.Logger, heard: Callable[[bytes], None], ended: Callable[[str], None]
) -> Child:
    """Run the command. Raises `OSError` where it cannot be run."""
    transport, child = await asyncio.get_running_loop().subprocess_exec(
        lambda: Child(command.max_line, log, heard, ended),
        command.program,
        *command.args,
        env=dict(command.env),
        cwd=command.cwd,
        start_new_session=True,
    )
    _bound(transport.get_pid(), command.limits)
    return child


def _bound(pid: int, limits: Limits) -> None:
    """Bound a process that has just been started, from outside: between fork and exec nothing of ours should run."""
    bounds = [
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CPU, None if limits.cpu is None else math.ceil(limits.cpu)),
        (resource.RLIMIT_NOFILE, limits.files),
        # What a crash would write to disk holds whatever the process knew.
        (resource.RLIMIT_CORE, 0),
    ]
    for which, bound in bounds:
        if bound is not None and hasattr(resource, "prlimit"):
            _, hard = resource.prlimit(pid, which)
            most = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
            with suppress(ProcessLookupError):
                resource.prlimit(pid, which, (most, most))


async def _within(seconds: float, event: asyncio.Future[None]) -> bool:
    done, _ = await asyncio.wait({event}, timeout=seconds)
    return bool(done)
