"""A client that sends any bytes, and reads answers more strictly than clients do."""

import json
import re
import select
import socket

from garbage import Garbage
from strict_json import Answer

WAIT = 30
PATIENCE = 0.3
"""Seconds until an input that could still go on is ended from this side."""

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


class Wire:
    """One connection at a time; a new one where the last has ended."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self.body = b""
        """Of the last answer."""

    def send(self, garbage: Garbage) -> Answer:
        """Status and JSON-RPC code of the answer, (0, None) for none. Raises `AssertionError` for anything
        that is not exactly one answer of HTTP with a body of JSON-RPC, or none at all."""
        sock = self._connected()
        try:
            sock.sendall(garbage.sent)
            answer = self._last(sock) if garbage.last else self._one(sock)
        except (ConnectionResetError, BrokenPipeError):
            # It was told to go while it was still talking: what was said to it is lost with the connection.
            self.close()
            assert garbage.last, "the connection was reset"
            return (0, None)
        if garbage.last:
            self.close()
        status, self.body = _read(answer)
        return status, _code(self.body)

    def close(self) -> None:
        """Go."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=WAIT)
        return self._socket

    def _one(self, sock: socket.socket) -> bytes:
        answer = b""
        while True:
            head, found, body = answer.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if found and (length is None or len(body) >= int(length[1])):
                break
            chunk = sock.recv(65536)
            if not chunk:
                self.close()
                break
            answer += chunk
        if b"connection: close" in head.lower():
            self.close()
        return answer

    def _last(self, sock: socket.socket) -> bytes:
        answer = b""
        if not select.select([sock], [], [], PATIENCE)[0]:
            sock.shutdown(socket.SHUT_WR)
        while chunk := sock.recv(65536):
            answer += chunk
            if not select.select([sock], [], [], PATIENCE)[0]:
                sock.shutdown(socket.SHUT_WR)
        return answer


def _read(answer: bytes) -> tuple[int, bytes]:
    if not answer:
        return 0, b""
    status = _STATUS.match(answer)
    assert status, f"no status line: {answer[:200]!r}"
    head, _, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    size = int(length[1]) if length else 0
    assert len(body) == size, f"something follows the answer, or it is cut: {answer[:500]!r}"
    return int(status[1]), body


def _code(body: bytes) -> int | None:
    if not body.startswith(b"{"):
        return None  # HTTP's own errors have no MCP client to speak to.
    message = json.loads(body)
    assert message.get("jsonrpc") == "2.0" or "status" in message, body[:200]
    error = message.get("error")
    assert error is None or (isinstance(error["message"], str) and error["message"]), body[:200]
    return None if error is None else int(error["code"])
