"""A real gateway process in front of given servers, and the words to talk to it as either kind of client."""

import hashlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CreateMessageResult, ElicitResult, ListRootsResult, Root, TextContent

MODERN = "2026-07-28"
KEYS = {"ann": "tg_ann-key", "bob": "tg_bob-key"}
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
_POLICY = """
version: 1
rules:
  - {id: all, subjects: {roles: [caller]}, tools: ["*/*"], effect: allow}
  - {id: open, subjects: {roles: [caller]}, resources: ["*/**"], prompts: ["*/*"], effect: allow}
  - {id: none, tools: ["*/hidden"], effect: deny}
  - {id: secret, resources: ["*/secret://**"], effect: deny}
  - {id: odd, tools: ["*/add"], when: args.a > 1000, effect: deny, reason: Too large.}
"""


class Person:
    """Answers what the official client is asked."""

    def __init__(self, name: str = "Ann") -> None:
        self.name = name
        self.asked: list[Any] = []
        self.callbacks = {
            "elicitation_callback": self.elicit,
            "sampling_callback": self.sample,
            "list_roots_callback": self.roots,
        }

    async def elicit(self, context: Any, params: Any) -> ElicitResult:
        self.asked.append(params)
        return ElicitResult(action="accept", content=None if params.mode == "url" else {"name": self.name})

    async def sample(self, context: Any, params: Any) -> CreateMessageResult:
        return CreateMessageResult(
            role="assistant", content=TextContent(text=f"{self.name} thinks"), model="m"
        )

    async def roots(self, context: Any) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri=f"file:///{self.name}")])


class Gateway:
    """The gateway process."""

    def __init__(self, folder: Path, servers: str) -> None:
        """`servers` is the block of the config."""
        self.folder = folder
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = int(sock.getsockname()[1])
        keys = "".join(
            f'    - {{id: {name}, hash: "sha256:{hashlib.sha256(key.encode()).hexdigest()}", roles: [caller]}}\n'
            for name, key in KEYS.items()
        )
        (folder / "policy.yaml").write_text(_POLICY)
        (folder / "gateway.yaml").write_text(
            f"listen: 127.0.0.1:{self.port}\nadmin: null\nservers:\n{servers}\n"
            f"identity:\n  api_keys:\n{keys}policies: [policy.yaml]\nsessions: {{keys: ['{'ab' * 32}']}}\n"
        )
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        folder = self.folder
        command = [sys.executable, "-m", "toolgate", "run", "-c", str(folder / "gateway.yaml")]
        with (folder / "stderr").open("ab") as stderr:
            self.process = subprocess.Popen(command, stderr=stderr, cwd=folder)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.send("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                threading.Event().wait(0.02)
        raise AssertionError((folder / "stderr").read_text())

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def url(self, door: str = "desk") -> str:
        """The address of a door."""
        return f"http://127.0.0.1:{self.port}" + (f"/servers/{door}/mcp" if door else "/mcp")

    def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request, its whole answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def modern(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        meta: dict[str, Any] | None = None,
        capabilities: dict[str, Any] | None = None,
        key: str = "ann",
        door: str = "desk",
        number: Any = 1,
    ) -> tuple[int, list[dict[str, Any]]]:
        """One request of the stateless revision; status and every message of the answer."""
        envelope = {**META, **(meta or {})}
        if capabilities is not None:
            envelope["io.modelcontextprotocol/clientCapabilities"] = capabilities
        params = {**(params or {}), "_meta": envelope}
        headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method, **_common(key)}
        name = params.get("name", params.get("uri", params.get("taskId")))
        if name is not None:
            headers["Mcp-Name"] = name
        return self._post({"jsonrpc": "2.0", "id": number, "method": method, "params": params}, headers, door)

    def legacy(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        session: str | None = None,
        key: str = "ann",
        door: str = "desk",
        number: Any = 1,
        revision: str = "2025-11-25",
    ) -> tuple[int, list[dict[str, Any]]]:
        """One request of a revision with sessions."""
        headers = {"MCP-Protocol-Version": revision, **_common(key)}
        if session is not None:
            headers["Mcp-Session-Id"] = session
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}
        return self._post(message, headers, door)

    def session(
        self,
        *,
        capabilities: dict[str, Any] | None = None,
        revision: str = "2025-11-25",
        door: str = "desk",
        key: str = "ann",
    ) -> tuple[str, dict[str, Any]]:
        """A new session: its id and the InitializeResult."""
        params = {
            "protocolVersion": revision,
            "capabilities": capabilities or {},
            "clientInfo": {"name": "tester", "version": "7"},
        }
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        path = self.url(door).partition(str(self.port))[2]
        status, headers, text = self.send("POST", path, json.dumps(message).encode(), _common(key))
        assert status == 200, text
        return headers["mcp-session-id"], json.loads(text)["result"]

    def _post(
        self, message: dict[str, Any], headers: dict[str, str], door: str
    ) -> tuple[int, list[dict[str, Any]]]:
        path = self.url(door).partition(str(self.port))[2]
        status, answered, text = self.send("POST", path, json.dumps(message).encode(), headers)
        if answered.get("content-type", "").startswith("text/event-stream"):
            lines = [line for line in text.decode().splitlines() if line.startswith("data: {")]
            return status, [json.loads(line[5:]) for line in lines]
        return status, [json.loads(text)] if text else []

    @asynccontextmanager
    async def client(
        self, mode: str, *, key: str = "ann", door: str = "desk", **more: Any
    ) -> AsyncIterator[Client]:
        """A client of the official SDK."""
        async with (
            httpx2.AsyncClient(headers=_common(key), timeout=30, trust_env=False) as http,
            Client(streamable_http_client(self.url(door), http_client=http), mode=mode, **more) as client,  # type: ignore[arg-type]
        ):
            yield client

    def records(self) -> list[dict[str, Any]]:
        """Every record of the ledger."""
        from toolgate.ledger.show import read

        return [record for _, record in read(self.folder / "ledger")]


def _common(key: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {KEYS[key]}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }


@contextmanager
def running(folder: Path, servers: str) -> Iterator[Gateway]:
    """A gateway, stopped at the end."""
    gateway = Gateway(folder, servers)
    try:
        yield gateway
    finally:
        if gateway.process.poll() is None:
            gateway.stop()
