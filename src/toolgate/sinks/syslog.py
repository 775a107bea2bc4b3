"""Syslog: RFC 5424 messages over TLS (RFC 5425) or, on this machine, plain TCP (RFC 6587, counted frames).

Syslog acknowledges nothing. A batch counts as delivered when the receiver's kernel has acknowledged every
byte and the connection still stands; what a receiver loses after that, no sender of syslog can know.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
import ssl
import struct
import termios
from collections.abc import Sequence

import msgspec

from toolgate.model import Outcome, Record
from toolgate.ports import Message, Recorded, Shape, Undelivered

_SECONDS = 10.0
_AUDIT = 13
"""The facility "log audit"."""
_NOTICE, _INFO, _ERROR = 5, 6, 3
_SEVERITIES = {Outcome.REFUSED: _NOTICE, Outcome.BUG: _ERROR, Outcome.CUT: _NOTICE}


def framed(shape: Shape) -> Shape:
    """The shape as the text of an RFC 5424 message with its length before it."""
    host = socket.gethostname().encode("ascii", "replace")[:255] or b"-"
    process = os.getpid()
    decode = msgspec.json.Decoder(Record).decode

    def frame(recorded: Recorded) -> bytes | None:
        body = shape(recorded)
        if body is None:
            return None
        record = decode(recorded.data)
        severity = _SEVERITIES.get(record.outcome or "", _INFO)  # type: ignore[call-overload]
        text = b"<%d>1 %b %b toolgate %d %b - %b" % (
            _AUDIT * 8 + severity,
            record.ts.encode(),
            host,
            process,
            record.event.encode("ascii", "replace"),
            body,
        )
        return b"%d %b" % (len(text), text)

    return frame


class Syslog:
    """Meets `ports.Sink`, for messages made by `framed`."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def deliver(self, batch: Sequence[Message]) -> None:
        """See `ports.Sink`."""
        try:
            reader, writer = self._streams or await self._connect()
            writer.writelines([message.body for message in batch])
            async with asyncio.timeout(_SECONDS):
                await writer.drain()
                await _acknowledged(writer)
            if reader.at_eof() or writer.is_closing():
                raise ConnectionResetError("the receiver closed the connection")
        except (OSError, TimeoutError) as problem:
            await self.aclose()
            raise Undelivered(
                f"syslog at {self._host}:{self._port}: {str(problem) or 'no answer'}"
            ) from problem
        except asyncio.CancelledError:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """See `ports.Sink`."""
        if self._streams:
            writer, self._streams = self._streams[1], None
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await writer.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(_SECONDS):
            self._streams = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        return self._streams


async def _acknowledged(writer: asyncio.StreamWriter) -> None:
    """Wait until nothing is left in our buffers, nor in the kernel's."""
    sock = writer.get_extra_info("socket")
    # The kernel tells nobody when its queue is empty.
    while writer.transport.get_write_buffer_size() or _unacknowledged(sock):  # noqa: ASYNC110
        await asyncio.sleep(0.002)


def _unacknowledged(sock: socket.socket) -> int:
    return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0])
