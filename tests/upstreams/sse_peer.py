"""A server over HTTP+SSE (2024-11-05) that says on its stream what a test wants, and remembers what it was sent."""

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INITIALIZED = {
    "protocolVersion": "2024-11-05",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "old", "version": "1"},
}


class SsePeer(ThreadingHTTPServer):
    """`answers` by method give the events after a message; `endpoint` is what the first event says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = "/messages?session={number}"
        self.first = "endpoint"
        """The name of the first event."""
        self.answers: dict[str, Callable[[Any], list[Any]]] = {
            "initialize": lambda message: [{"id": message["id"], "result": INITIALIZED}],
        }
        self.status = 202
        self.streams: dict[str, queue.Queue[bytes | None]] = {}
        self.sent: list[tuple[str, Any]] = []
        """Stream and message, in order."""
        self.headers: list[dict[str, str]] = []
        self.closed: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/sse"

    def methods(self) -> list[str]:
        """What was sent, in order."""
        return [message.get("method", "") for _, message in self.sent]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave are no news."""


class _Handler(BaseHTTPRequestHandler):
    server: SsePeer

    def do_GET(self) -> None:
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        number = str(len(self.server.streams) + 1)
        events = self.server.streams[number] = queue.Queue()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self._say(
            f"event: {self.server.first}\r\ndata: {self.server.endpoint.format(number=number)}\r\n\r\n".encode()
        )
        while (event := events.get()) is not None:
            self._say(event)
        self.server.closed.append(number)

    def _say(self, event: bytes) -> None:
        self.wfile.write(event)
        self.wfile.flush()

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not self.path.startswith("/messages"):
            self._accept(405)
            return
        number = self.path.rpartition("=")[2]
        self.server.sent.append((number, message))
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        if "method" in message:
            for answer in self.server.answers.get(message["method"], lambda _: [])(message):
                text = json.dumps({"jsonrpc": "2.0", **answer}) if isinstance(answer, dict) else answer
                self.server.streams[number].put(f"event: message\ndata: {text}\n\n".encode())
        self._accept(self.server.status)

    def _accept(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@contextmanager
def serving_sse() -> Iterator[SsePeer]:
    """A peer while the block runs."""
    peer = SsePeer()
    thread = threading.Thread(target=peer.serve_forever, daemon=True)
    thread.start()
    try:
        yield peer
    finally:
        for stream in peer.streams.values():
            stream.put(None)
        peer.shutdown()
        thread.join()
        peer.server_close()
