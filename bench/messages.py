"""The messages the bench sends and the one answer it accepts. Knows MCP's words, not how they travel."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

MODERN = "2026-07-28"
SESSIONS = "2025-11-25"
TOOL = "transfer_funds"
ANSWER = "transfer TR-2026-000417 accepted"
"""Stands in every right answer and in nothing a gateway could say by itself."""

ARGUMENTS = {
    "from_account": "DE89370400440532013000",
    "to_account": "FR1420041010050500013M02606",
    "amount": 250,
    "currency": "EUR",
    "memo": "Invoice 2026-1187, office supplies for the second floor, order 4711 of 3 November",
}
_META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass(frozen=True)
class Endpoint:
    """One address that answers MCP: where it is, what to present there, which revision to speak."""

    port: int
    path: str = "/mcp"
    tool: str = TOOL
    revision: str = MODERN
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_header(self, name: str, value: str) -> "Endpoint":
        """The same endpoint, presenting one more header."""
        return replace(self, headers={**self.headers, name: value})


def request(endpoint: Endpoint, method: str, params: Mapping[str, Any], number: int | None = 1) -> bytes:
    """One JSON-RPC request of the endpoint's revision, or a notification where `number` is None."""
    content = dict(params)
    if endpoint.revision == MODERN:
        content["_meta"] = _META
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": content}
    if number is not None:
        message["id"] = number
    return json.dumps(message, separators=(",", ":")).encode()


def tool_call(endpoint: Endpoint, number: int = 1) -> bytes:
    """The call that everything here measures: about 500 bytes, one transfer of 250 euros."""
    return request(endpoint, "tools/call", {"name": endpoint.tool, "arguments": ARGUMENTS}, number)


def initialize(endpoint: Endpoint) -> bytes:
    """The handshake of the session revisions."""
    info = {"name": "bench", "version": "1"}
    return request(
        endpoint, "initialize", {"protocolVersion": endpoint.revision, "capabilities": {}, "clientInfo": info}
    )


def headers(endpoint: Endpoint, method: str, name: str = "") -> dict[str, str]:
    """The HTTP headers that go with a message of this method."""
    fields = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    if method != "initialize":
        fields["MCP-Protocol-Version"] = endpoint.revision
    if endpoint.revision == MODERN:
        fields["Mcp-Method"] = method
        if name:
            fields["Mcp-Name"] = name
    return {**fields, **endpoint.headers}


def is_right(answer: Mapping[str, Any], number: int) -> bool:
    """Whether this is the upstream's own result, under the id that asked for it."""
    result = answer.get("result") or {}
    texts = [part.get("text", "") for part in result.get("content", [])]
    return answer.get("id") == number and not result.get("isError") and any(ANSWER in text for text in texts)
