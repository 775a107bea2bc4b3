"""A server over HTTP that answers each JSON-RPC method as a test wants, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from msgspec import Struct

Answer = tuple[int, Any, dict[str, str]]
"""Status, body (an object becomes JSON, text stays text), extra headers."""


class Asked(Struct):
    """One request that came."""

    verb: str
    method: str
    headers: dict[str, str]
    message: Any


class Peer(ThreadingHTTPServer):
    """`answers` by JSON-RPC method, or by verb for what carries no message; changed while it runs."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Callable[[Any], Answer]] = {}
        self.asked: list[Asked] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave are no news."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/mcp"

    def methods(self) -> list[str]:
        """What was asked, in order."""
        return [one.method or one.verb for one in self.asked]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Peer

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        method = message.get("method", "")
        self._note("POST", method, message)
        if "id" not in message:
            self._answer(202, "", {})
            return
        answer = self.server.answers.get(method, lambda _: (404, "", {}))
        status, body, headers = answer(message)
        if isinstance(body, dict):
            body = {"jsonrpc": "2.0", "id": message["id"], **body}
        self._answer(status, body, headers)

    def do_GET(self) -> None:
        self._note("GET", "", None)
        self._answer(*self.server.answers.get("GET", lambda _: (405, "", {}))(None))

    def do_DELETE(self) -> None:
        self._note("DELETE", "", None)
        self._answer(200, "", {})

    def _note(self, verb: str, method: str, message: Any) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(Asked(verb, method, headers, message))

    def _answer(self, status: int, body: Any, headers: dict[str, str]) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        kind = "text/plain" if isinstance(body, str) else "application/json"
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@contextmanager
def serving() -> Iterator[Peer]:
    """A peer while the block runs."""
    peer = Peer()
    thread = threading.Thread(target=peer.serve_forever, daemon=True)
    thread.start()
    try:
        yield peer
    finally:
        peer.shutdown()
        thread.join()
        peer.server_close()
