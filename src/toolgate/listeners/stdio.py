"""One client on standard input and output: the gateway as the one server of a desktop application.

Standard output carries nothing but messages, whatever else in the process writes to it.
"""

import asyncio
import logging
import os
import stat
import sys
from collections.abc import AsyncIterator
from typing import Any, cast

from toolgate.errors import Refusal
from toolgate.listeners.dialogue import Dialogue
from toolgate.model import Call
from toolgate.pipeline import Pipeline
from toolgate.protocol import refused, versions
from toolgate.protocol.lines import Lines, LineTooLong, pack
from toolgate.upstreams.mailbox import Mailbox

_log = logging.getLogger("toolgate.stdio")

CHUNK = 64 * 1024
GRACE_SECONDS = 5.0
"""How long calls in flight may go on once standard input has ended; clients kill after a few seconds anyway."""
CLOSE_SECONDS = 1.0
"""How long the last answers may take to leave."""


class Stdio:
    """Serves the client of this process until its input ends or `stop` is called."""

    def __init__(
        self, pipeline: Pipeline, *, json_depth: int, max_line: int, input: int = 0, output: int = 1
    ) -> None:
        """`input` and `output` are file descriptors."""
        self._lines = Lines(max_line)
        self._input = input
        self._output = output
        self._mail = Mailbox()
        self._stopping = asyncio.Event()
        self._forced = asyncio.Event()
        self._ending = False
        self._dialogue = Dialogue(pipeline, "", self._say, json_depth=json_depth, stateless=True)

    def stop(self) -> None:
        """End as if standard input had ended. Where it has, calls in flight are waited for no longer."""
        (self._forced if self._ending else self._stopping).set()

    async def run(self) -> None:
        """Answer until the input ends, then let calls in flight end."""
        output = await _Output.open(self._output)
        writing = asyncio.create_task(self._write(output))
        reading = asyncio.create_task(self._read())
        stopping, forced = (asyncio.create_task(one.wait()) for one in (self._stopping, self._forced))
        finishing = asyncio.create_task(self._finish(reading, stopping))
        tasks = (reading, writing, stopping, forced, finishing)
        try:
            await asyncio.wait((finishing, writing, forced), return_when=asyncio.FIRST_COMPLETED)
            await self._dialogue.close(_local)
            self._mail.close()
            await asyncio.wait((writing,), timeout=CLOSE_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            output.close()
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _finish(self, reading: "asyncio.Task[None]", stopping: "asyncio.Task[Any]") -> None:
        await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
        self._ending = True
        await self._dialogue.finish(GRACE_SECONDS)

    async def _read(self) -> None:
        try:
            async for chunk in _chunks(self._input):
                for line in self._lines.feed(chunk):
                    self._take(line)
        except LineTooLong as error:
            _log.error("standard input is of no further use: %s", error)

    def _take(self, line: bytes) -> None:
        try:
            self._dialogue.take(line, _local)
        except Refusal as refusal:
            self._say(refused.write(refusal, id=None, method="", revision=versions.UNSTATED)[1], False)

    def _say(self, message: bytes, may_be_lost: bool) -> None:
        self._mail.put(message, may_be_lost=may_be_lost)

    async def _write(self, output: "_Output") -> None:
        async for message in self._mail:
            if not await output.write(pack(message)):
                _log.info("standard output is closed: the client has left")
                return


def _local(call: Call) -> Call:
    call.local = True
    return call


async def _chunks(descriptor: int) -> AsyncIterator[bytes]:
    """What can be read, as it comes. A file is read like a pipe."""
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        while chunk := await asyncio.to_thread(os.read, descriptor, CHUNK):
            yield chunk
        return
    reader = asyncio.StreamReader(CHUNK)
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    try:
        while chunk := await reader.read(CHUNK):
            yield chunk
    finally:
        transport.close()


class _Output(asyncio.Protocol):
    """The way out: a pipe that may be full, or a file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pipe: asyncio.WriteTransport | None = None
        self._free = asyncio.Event()
        self._free.set()
        self._lost = False

    @classmethod
    async def open(cls, descriptor: int) -> "_Output":
        one = cls(descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            pipe = os.fdopen(descriptor, "wb", buffering=0)
            await asyncio.get_running_loop().connect_write_pipe(lambda: one, pipe)
        return one

    async def write(self, line: bytes) -> bool:
        """Write; False where nobody reads any more."""
        if self._pipe is None:
            os.write(self._descriptor, line)
            return True
        if not self._lost:
            self._pipe.write(line)
        await self._free.wait()
        return not self._lost

    def close(self) -> None:
        if self._pipe is not None:
            self._pipe.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._pipe = cast("asyncio.WriteTransport", transport)
        self._pipe.set_write_buffer_limits(high=0)

    def pause_writing(self) -> None:
        self._free.clear()

    def resume_writing(self) -> None:
        self._free.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._free.set()


def private_output() -> int:
    """A descriptor of standard output that nobody else writes to: `print` and children get standard error."""
    sys.stdout.flush()
    output = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return output
