"""A small blocking MCP client for what is not load: the check before and after, handshakes, probes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

from bench import messages
from bench.messages import Endpoint


class WrongAnswerError(Exception):
    """An answer that is not the upstream's result; says what came instead."""


class Client:
    """One keep-alive connection to one endpoint. Every wait ends after `timeout` seconds."""

    def __init__(self, endpoint: Endpoint, timeout: float = 30.0) -> None:
        self._endpoint = endpoint
        self._connection = HTTPConnection("127.0.0.1", endpoint.port, timeout=timeout)

    def post(self, method: str, body: bytes, name: str = "") -> tuple[HTTPResponse, bytes]:
        """Send one message; the answer with its whole body. Raises OSError or HTTPException."""
        fields = messages.headers(self._endpoint, method, name)
        self._connection.request("POST", self._endpoint.path, body, fields)
        response = self._connection.getresponse()
        return response, response.read()

    def call(self, number: int = 1) -> None:
        """Make the measured call once. Raises `WrongAnswerError` unless the upstream's result comes back."""
        body = messages.tool_call(self._endpoint, number)
        response, content = self.post("tools/call", body, self._endpoint.tool)
        kind = response.headers.get("content-type", "")
        if response.status != 200 or not any(
            messages.is_right(message, number) for message in _messages(kind, content)
        ):
            raise WrongAnswerError(f"HTTP {response.status} {kind}: {content[:400]!r}")

    def initialize(self) -> Endpoint:
        """Open a session. The endpoint as later messages must use it: with the session id, where one came."""
        response, content = self.post("initialize", messages.initialize(self._endpoint))
        if response.status != 200 or b'"protocolVersion"' not in content:
            raise WrongAnswerError(f"initialize: HTTP {response.status}: {content[:400]!r}")
        session = response.headers.get("mcp-session-id")
        opened = self._endpoint.with_header("Mcp-Session-Id", session) if session else self._endpoint
        self._endpoint, endpoint = opened, self._endpoint
        self.post(
            "notifications/initialized", messages.request(opened, "notifications/initialized", {}, None)
        )
        self._endpoint = endpoint
        return opened

    def listen(self) -> None:
        """Open the session's own stream and leave it open. Raises `WrongAnswerError`."""
        fields = {**messages.headers(self._endpoint, "", ""), "Accept": "text/event-stream"}
        self._connection.request("GET", self._endpoint.path, headers=fields)
        response = self._connection.getresponse()
        if response.status != 200:
            raise WrongAnswerError(f"GET: HTTP {response.status}: {response.read()[:400]!r}")

    def close(self) -> None:
        """Drop the connection."""
        self._connection.close()


@contextmanager
def connect(endpoint: Endpoint, timeout: float = 30.0) -> Iterator[Client]:
    """A client that is closed at the end."""
    client = Client(endpoint, timeout)
    try:
        yield client
    finally:
        client.close()


def ready(endpoint: Endpoint) -> Endpoint:
    """The endpoint after its handshake, if its revision has one, and one call that was answered right."""
    with connect(endpoint) as client:
        opened = client.initialize() if endpoint.revision != messages.MODERN else endpoint
    verify(opened)
    return opened


def verify(endpoint: Endpoint) -> None:
    """Make the measured call once on a fresh connection. Raises `WrongAnswerError`."""
    with connect(endpoint) as client:
        try:
            client.call()
        except (OSError, HTTPException) as error:
            raise WrongAnswerError(f"{type(error).__name__}: {error}") from error


def count_calls(port: int) -> int:
    """How many tool calls the upstream has answered so far."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/calls")
        return int(connection.getresponse().read())
    finally:
        connection.close()


def _messages(kind: str, content: bytes) -> list[dict[str, Any]]:
    if not kind.startswith("text/event-stream"):
        return [json.loads(content)]
    lines = content.decode().splitlines()
    return [json.loads(line[5:]) for line in lines if line.startswith("data:") and line[5:].strip()]
