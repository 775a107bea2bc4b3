"""An MCP server with sessions whose calls and whose GET stream say what a test wants, when it wants it."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class StreamingServer(ThreadingHTTPServer):
    """`calls` and `gets` are the streams that are open: queues of messages, None for the end."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls: queue.Queue[tuple[Any, queue.Queue[Any]]] = queue.Queue()
        self.gets: queue.Queue[queue.Queue[Any]] = queue.Queue()
        self.notified: list[Any] = []
        self.last_ids: list[str | None] = []
        """`Last-Event-ID` of each GET."""
        self.open: list[queue.Queue[Any]] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StreamingServer

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        method = message.get("method", "")
        if "id" not in message or "method" not in message:
            self.server.notified.append(message)
            self._answer(202, b"")
        elif method == "initialize":
            result = {
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": {"name": "streaming", "version": "1"},
            }
            self._answer(200, json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode())
        elif method == "tools/call":
            says: queue.Queue[Any] = queue.Queue()
            self.server.open.append(says)
            self.server.calls.put((message, says))
            self._stream(says)
        else:
            error = {"code": -32601, "message": "no"}
            self._answer(200, json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}).encode())

    def do_GET(self) -> None:
        says: queue.Queue[Any] = queue.Queue()
        self.server.open.append(says)
        self.server.last_ids.append(self.headers["last-event-id"])
        self.server.gets.put(says)
        self._stream(says)

    def do_DELETE(self) -> None:
        self._answer(200, b"")

    def _stream(self, says: "queue.Queue[Any]") -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        while (message := says.get()) is not None:
            self.wfile.write(message if isinstance(message, bytes) else _event(message))
            self.wfile.flush()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if status == 200:
            self.send_header("mcp-session-id", "theirs")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


def _event(message: Any) -> bytes:
    return b"data: %b\n\n" % json.dumps({"jsonrpc": "2.0", **message}).encode()


@contextmanager
def streaming_server() -> Iterator[StreamingServer]:
    """One while the block runs."""
    server = StreamingServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        for says in server.open:
            says.put(None)
        server.shutdown()
        thread.join()
        server.server_close()
