"""A real gateway in front of several small real servers, and the words to talk to its shared door."""

import hashlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from http_peer import Peer

MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
POLICY = """
version: 1
rules:
  - {id: everything, subjects: {roles: [owner]}, tools: ["*/*"], resources: ["*/*"], prompts: ["*/*"], effect: allow}
  - {id: little, subjects: {roles: [guest]}, tools: ["a/open"], resources: ["a/x://open*"], prompts: ["a/open"],
     effect: allow}
"""
_CALLERS = (("owner", "owner"), ("other", "owner"), ("guest", "guest"))
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


class Aggregate:
    """The gateway process."""

    def __init__(self, folder: Path, servers: dict[str, str], policy: str = POLICY) -> None:
        """`servers` are lines of the config, by name."""
        self.folder = folder
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = int(sock.getsockname()[1])
        (folder / "policy.yaml").write_text(policy)
        lines = "".join(f"  {name}: {server}\n" for name, server in servers.items())
        keys = "".join(_key(*who) for who in _CALLERS)
        (folder / "gateway.yaml").write_text(
            f"listen: 127.0.0.1:{self.port}\nadmin: null\nservers:\n{lines}"
            f"identity:\n  api_keys:\n{keys}policies: [policy.yaml]\n"
        )
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self.folder / "stderr").open("ab") as stderr:
            command = [sys.executable, "-m", "toolgate", "run", "-c", str(self.folder / "gateway.yaml")]
            self.process = subprocess.Popen(command, stderr=stderr)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                threading.Event().wait(0.02)
        raise AssertionError((self.folder / "stderr").read_text())

    def stop(self) -> None:
        """Stop, and wait for it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def ask(
        self, method: str, params: dict[str, Any] | None = None, *, key: str = "owner", door: str = "/mcp"
    ) -> Any:
        """The result of one stateless request, or its error under the key `error`."""
        params = {**(params or {}), "_meta": META}
        headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
        if method in _NAMED:
            headers["Mcp-Name"] = params[_NAMED[method]]
        return self._answer(method, params, headers, key, door)[0]

    def in_session(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        session: str | None = None,
        door: str = "/mcp",
    ) -> tuple[Any, str | None]:
        """The same of a client with a session, and the session's id."""
        headers = {"MCP-Protocol-Version": "2025-11-25"}
        if session is not None:
            headers["Mcp-Session-Id"] = session
        return self._answer(method, params or {}, headers, "owner", door)

    def initialize(self) -> tuple[Any, str]:
        """Open a session: the InitializeResult and the id."""
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }
        result, session = self.in_session("initialize", params)
        assert session is not None, result
        return result, session

    def _answer(
        self, method: str, params: dict[str, Any], headers: dict[str, str], key: str, door: str
    ) -> tuple[Any, str | None]:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer tg_{key}",
            **headers,
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", door, body, headers)
            answer = connection.getresponse()
            message = json.loads(answer.read())
            return message.get("result", message), answer.getheader("mcp-session-id")
        finally:
            connection.close()

    def send(
        self, verb: str, path: str, body: bytes | Any = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One HTTP request as it is given; what is no bytes becomes JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(verb, path, data, headers or {})
            answer = connection.getresponse()
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def log(self) -> str:
        """What it said so far."""
        return (self.folder / "stderr").read_text()


def _key(name: str, role: str) -> str:
    digest = hashlib.sha256(f"tg_{name}".encode()).hexdigest()
    return f"    - {{id: {name}, hash: 'sha256:{digest}', roles: [{role}]}}\n"


def stateless(peer: Peer, capabilities: dict[str, Any] | None = None, **discovered: Any) -> None:
    """Make a peer a server of 2026-07-28 that echoes what it is asked for by name."""
    capabilities = {"tools": {}, "prompts": {}, "resources": {}} if capabilities is None else capabilities
    found = {
        "supportedVersions": [MODERN],
        "capabilities": capabilities,
        "resultType": "complete",
        **discovered,
    }
    peer.answers["server/discover"] = lambda _: result(found)
    for method, field in (
        ("tools/list", "tools"),
        ("prompts/list", "prompts"),
        ("resources/list", "resources"),
    ):
        listing(peer, method, field, [])
    listing(peer, "resources/templates/list", "resourceTemplates", [])
    peer.answers["tools/call"] = lambda message: text(message["params"]["name"])
    peer.answers["prompts/get"] = lambda message: result(
        {"messages": [], "description": message["params"]["name"]}
    )
    peer.answers["resources/read"] = lambda message: result(
        {"contents": [{"uri": message["params"]["uri"], "text": "x"}], "ttlMs": 0, "cacheScope": "private"}
    )
    peer.answers["completion/complete"] = lambda message: result(
        {"completion": {"values": [json.dumps(message["params"]["ref"], sort_keys=True)]}}
    )


def listing(peer: Peer, method: str, field: str, entries: list[Any], **rest: Any) -> None:
    """What the peer lists, in one page."""
    peer.answers[method] = lambda _: result({field: entries, **rest})


def pages(
    peer: Peer, method: str, field: str, of: Callable[[str | None], tuple[list[Any], str | None]]
) -> None:
    """What the peer lists, page by page: from a cursor the entries and the next one."""

    def answer(message: Any) -> tuple[int, Any, dict[str, str]]:
        entries, cursor = of(message["params"].get("cursor"))
        return result({field: entries, **({} if cursor is None else {"nextCursor": cursor})})

    peer.answers[method] = answer


def tool(name: str, **more: Any) -> dict[str, Any]:
    """A tool as servers list it."""
    return {"name": name, "inputSchema": {"type": "object"}, **more}


def result(value: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
    """A result of 2026-07-28."""
    return 200, {"result": {"resultType": "complete", **value}}, {}


def text(words: str) -> tuple[int, Any, dict[str, str]]:
    """A tool's result."""
    return result({"content": [{"type": "text", "text": words}]})


def names(listed: Any, field: str = "tools", key: str = "name") -> list[str]:
    """What a list holds."""
    return [entry[key] for entry in listed[field]]
