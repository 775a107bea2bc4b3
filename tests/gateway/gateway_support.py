"""A real gateway process in front of a small real server, and the words to talk to it."""

import hashlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

MODERN = "2026-07-28"
KEYS = {"teller": "tg_teller-key", "guest": "tg_guest-key"}
TOOLS = (
    "read_account",
    "transfer_funds",
    "close_account",
    "lie_json",
    "lie_id",
    "slow",
    "big",
    "route_payment",
    "route_wrongly",
)
SCHEMAS: dict[str, dict[str, Any]] = {
    "route_payment": {
        "type": "object",
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "limits": {
                "type": "object",
                "properties": {"daily": {"type": "integer", "x-mcp-header": "Daily-Limit"}},
            },
        },
    },
    "route_wrongly": {
        "type": "object",
        "properties": {"region": {"type": "array", "x-mcp-header": "Region"}},
    },
}
"""Input schemas of the tools that have one of their own."""

POLICY = """
version: 1
rules:
  - id: tellers
    subjects: {roles: [teller]}
    tools: ["bank/read_account", "bank/transfer_funds", "bank/lie_*", "bank/slow", "bank/big", "bank/route_*"]
    effect: allow
  - id: large
    tools: ["bank/transfer_funds"]
    when: args.amount > 10000
    effect: deny
    reason: Too large for an agent.
  - id: guests
    subjects: {roles: [guest]}
    tools: ["bank/read_account"]
    effect: allow
"""


class Bank(BaseHTTPRequestHandler):
    """An MCP server of both kinds that answers in one piece."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[dict[str, Any]]] = []
    garbled: ClassVar[bool] = False
    """Whether it answers `server/discover` with nonsense."""

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        Bank.seen.append({"message": message, "headers": dict(self.headers)})
        if "id" not in message:
            self._answer(202, b"", {})
            return
        headers = {}
        method, name = message["method"], message.get("params", {}).get("name")
        if method == "initialize":
            headers["mcp-session-id"] = "upstream-session"
            result: Any = {
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "bank", "version": "1"},
            }
        elif method == "server/discover" and Bank.garbled:
            result = ["not", "an", "object"]
        elif method == "server/discover":
            result = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}, "resultType": "complete"}
        elif method == "tools/list":
            result = {
                "tools": [
                    {
                        "name": tool,
                        "inputSchema": SCHEMAS.get(tool, {"type": "object"}),
                        "annotations": {"readOnlyHint": tool == "read_account"},
                        "x-own": 12345678901234567890123,
                    }
                    for tool in TOOLS
                ],
                "resultType": "complete",
            }
        else:
            result = {"content": [{"type": "text", "text": name}], "resultType": "complete", "n": 1e2}
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        if name == "lie_json":
            body = b"{not json"
        elif name == "lie_id":
            body = body.replace(b'"id": %d' % message["id"], b'"id": 999999')
        elif name == "slow":
            time.sleep(0.5)
        self._answer(200, body, headers)

    def do_GET(self) -> None:
        self._answer(405, b"", {})

    def do_DELETE(self) -> None:
        self._answer(405, b"", {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {
            "content-type": "application/json",
            "content-length": str(len(body)),
            **headers,
        }.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


class Running:
    """The gateway process."""

    def __init__(
        self, folder: Path, bank_port: int, more: str = "", *, policy: str = POLICY, admin: int | None = None
    ) -> None:
        """`more` is text for the end of the config, `admin` the port of the admin listener."""
        self.folder = folder
        self.port = free_port()
        hashes = {name: "sha256:" + hashlib.sha256(key.encode()).hexdigest() for name, key in KEYS.items()}
        keys = [f'    - {{id: {name}, hash: "{value}", roles: [{name}]}}' for name, value in hashes.items()]
        (folder / "policy.yaml").write_text(policy)
        self.config = folder / "gateway.yaml"
        self.config.write_text(
            f"listen: 127.0.0.1:{self.port}\nadmin: {f'127.0.0.1:{admin}' if admin else 'null'}\n"
            f"servers:\n  bank: {{url: 'http://127.0.0.1:{bank_port}/mcp'}}\n"
            f"  dead: {{url: 'http://127.0.0.1:{free_port()}/mcp'}}\n"
            "identity:\n  api_keys:\n" + "\n".join(keys) + "\npolicies: [policy.yaml]\n"
            "sessions: {keys: ['" + "ab" * 32 + "']}\n" + more
        )
        self.command = [sys.executable, "-m", "toolgate", "run", "-c", str(self.config)]
        self.start()

    @classmethod
    def of(cls, folder: Path, port: int, command: list[str]) -> "Running":
        """A gateway that somebody else configured, in their folder and by their command."""
        running = cls.__new__(cls)
        running.folder, running.port, running.command = folder, port, command
        running.start()
        return running

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self.folder / "stderr").open("ab") as stderr:
            self.process = subprocess.Popen(self.command, stderr=stderr, cwd=self.folder)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.send("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                threading.Event().wait(0.02)
        raise AssertionError((self.folder / "stderr").read_text())

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop, and wait for it."""
        self.process.send_signal(number)
        return self.process.wait(15)

    def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
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
        key: str | None = "teller",
        path: str = "/servers/bank/mcp",
        number: Any = 1,
        headers: dict[str, str] | None = None,
        meta: dict[str, Any] | None = None,
    ) -> tuple[int, dict[str, str], Any]:
        """One request of the stateless revision."""
        params = {**(params or {}), "_meta": {**META, **(meta or {})}}
        body = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()
        sent = {**JSON, **bearer(key), "MCP-Protocol-Version": MODERN, "Mcp-Method": method}
        if "name" in params:
            sent["Mcp-Name"] = params["name"]
        status, answered, text = self.send("POST", path, body, {**sent, **(headers or {})})
        return status, answered, json.loads(text) if text else None

    def legacy(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        key: str = "teller",
        path: str = "/servers/bank/mcp",
        session: str | None = None,
        number: Any = 1,
    ) -> tuple[int, dict[str, str], Any]:
        """One request of a revision with sessions."""
        body = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}).encode()
        headers = {**JSON, **bearer(key), "MCP-Protocol-Version": "2025-11-25"}
        if session is not None:
            headers["Mcp-Session-Id"] = session
        status, answered, text = self.send("POST", path, body, headers)
        return status, answered, json.loads(text) if text else None

    def initialize(self, *, key: str = "teller", path: str = "/servers/bank/mcp") -> str:
        """Open a session; its id."""
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }
        status, headers, answer = self.legacy("initialize", params, key=key, path=path)
        assert status == 200, answer
        return headers["mcp-session-id"]


META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


def bearer(key: str | None) -> dict[str, str]:
    """The credential of one of the callers."""
    return {} if key is None else {"Authorization": f"Bearer {KEYS.get(key, key)}"}


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def records(folder: Path) -> list[dict[str, Any]]:
    """Every record of the ledger."""
    from toolgate.ledger.show import read

    return [record for _, record in read(folder / "ledger")]


def serve_bank() -> ThreadingHTTPServer:
    """The server, running in a thread."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bank)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
