"""`toolgate run --stdio`: the gateway as the one server of a desktop application, for clients of both kinds."""

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_support import META, MODERN, Bank, records, serve_bank
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from toolgate.ledger.verify import verify

CHILD = Path(__file__).parents[1] / "upstreams" / "children" / "official.py"

POLICY = """
version: 1
rules:
  - id: mine
    subjects: {users: [ann], roles: [developer]}
    tools: ["bank/read_account", "bank/slow", "child/*"]
    effect: allow
  - id: small
    subjects: {users: [ann]}
    tools: ["bank/transfer_funds"]
    when: args.amount <= 10
    effect: allow
"""
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "desktop", "version": "1"},
}


@pytest.fixture(scope="module")
def bank() -> Iterator[int]:
    server = serve_bank()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def config(tmp_path: Path, bank: int) -> Path:
    (tmp_path / "policy.yaml").write_text(POLICY)
    file = tmp_path / "gateway.yaml"
    file.write_text(
        f"servers:\n  bank: {{url: 'http://127.0.0.1:{bank}/mcp'}}\n"
        f"  child: {{command: {sys.executable}, args: ['{CHILD}']}}\n"
        "identity: {local: {user: ann, roles: [developer]}}\npolicies: [policy.yaml]\n"
    )
    return file


class Desktop:
    """The application: starts the gateway, writes lines, reads lines."""

    def __init__(self, config: Path) -> None:
        command = [sys.executable, "-m", "toolgate", "run", "--stdio", "-c", str(config)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=config.parent)
        self.lines: queue.Queue[bytes] = queue.Queue()
        self.stderr = b""
        threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._read_stderr)]
        for thread in threads:
            thread.start()
        self._threads = threads

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        self.stderr = self.process.stderr.read()

    def write(self, message: Any) -> None:
        assert self.process.stdin is not None
        text = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.process.stdin.write(text + b"\n")
        self.process.stdin.flush()

    def read(self) -> Any:
        return json.loads(self.lines.get(timeout=20))

    def ask(self, method: str, params: dict[str, Any] | None = None, number: Any = 1) -> Any:
        self.write({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}})
        return self.read()

    def modern(self, method: str, params: dict[str, Any] | None = None, number: Any = 1) -> Any:
        return self.ask(method, {**(params or {}), "_meta": META}, number)

    def open(self, revision: str = "2025-11-25") -> Any:
        answer = self.ask("initialize", {**INITIALIZE, "protocolVersion": revision}, 0)
        self.write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    def end(self) -> int:
        """Close the gateway's standard input, and wait."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(20)
        for thread in self._threads:
            thread.join(20)
        return code


@pytest.fixture
def desktop(config: Path) -> Iterator[Callable[[], Desktop]]:
    started: list[Desktop] = []

    def start() -> Desktop:
        started.append(Desktop(config))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.wait()
        for stream in (one.process.stdin, one.process.stdout, one.process.stderr):
            assert stream is not None
            stream.close()


CALL = {"name": "bank__read_account", "arguments": {}}


def text_of(answer: Any) -> str:
    return str(answer["result"]["content"][0]["text"])


def test_a_client_with_sessions_is_served_judged_and_recorded(
    desktop: Callable[[], Desktop], config: Path
) -> None:
    one = desktop()
    assert one.open()["result"]["protocolVersion"] == "2025-11-25"
    tools = [tool["name"] for tool in one.ask("tools/list")["result"]["tools"]]
    assert "bank__read_account" in tools
    assert "bank__close_account" not in tools
    assert text_of(one.ask("tools/call", CALL)) == "read_account"
    big = {"name": "bank__transfer_funds", "arguments": {"amount": 11}}
    assert one.ask("tools/call", big)["result"]["isError"] is True
    assert one.end() == 0
    assert verify(config.parent / "ledger").ok
    calls = [record for record in records(config.parent) if record.get("method") == "tools/call"]
    assert [record["decision"] for record in calls] == ["allow", "deny"]
    assert {(record["auth"], record["user"], record["principal"]) for record in calls} == {
        ("local", "ann", "local:ann")
    }


@pytest.mark.parametrize("number", [-1, "1", "", 2**70])
def test_a_stateless_client_is_served_without_a_handshake(
    desktop: Callable[[], Desktop], number: object
) -> None:
    """E01, E02."""
    one = desktop()
    assert MODERN in one.modern("server/discover")["result"]["supportedVersions"]
    answer = one.modern("tools/call", CALL, number)
    assert (answer["id"], text_of(answer)) == (number, "read_account")
    assert one.modern("initialize")["error"]["code"] == -32601
    assert one.end() == 0


@pytest.mark.parametrize("revision", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_every_revision_with_sessions_is_negotiated(desktop: Callable[[], Desktop], revision: str) -> None:
    one = desktop()
    assert one.open(revision)["result"]["protocolVersion"] == revision
    assert text_of(one.ask("tools/call", {"name": "child__add", "arguments": {"a": 1, "b": 2}})) is not None
    assert one.ask("ping")["result"] == {}


def test_a_client_of_either_kind_finds_the_other_refused_in_one_process_only_by_method(
    desktop: Callable[[], Desktop],
) -> None:
    """19.3: a client that can do both asks `server/discover` first, and may still initialize."""
    one = desktop()
    assert "result" in one.modern("server/discover")
    assert "result" in one.open()
    assert text_of(one.ask("tools/call", CALL)) == "read_account"
    assert text_of(one.modern("tools/call", CALL)) == "read_account"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{not json", -32700),
        (b"[" * 5000, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"no/such"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}', -32600),
        (b"[]", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
    ],
)
def test_a_bad_line_gets_the_error_it_deserves_and_the_next_one_is_served(
    desktop: Callable[[], Desktop], line: bytes, code: int
) -> None:
    """E02, E04, E07, E08."""
    one = desktop()
    one.write(line)
    assert one.read()["error"]["code"] == code
    assert text_of(one.modern("tools/call", CALL)) == "read_account"


def test_a_batch_of_the_revision_that_has_them_is_answered_in_one(desktop: Callable[[], Desktop]) -> None:
    """E04."""
    one = desktop()
    one.open("2025-03-26")
    ping = {"jsonrpc": "2.0", "method": "ping"}
    one.write([{**ping, "id": 1}, {"jsonrpc": "2.0", "method": "notifications/x"}, {**ping, "id": "1"}])
    assert [answer["id"] for answer in one.read()] == [1, "1"]


def test_an_id_in_flight_is_refused_and_the_first_call_is_not_disturbed(
    desktop: Callable[[], Desktop],
) -> None:
    """E03."""
    one = desktop()
    slow = {
        "jsonrpc": "2.0",
        "id": 9,
        "method": "tools/call",
        "params": {"name": "bank__slow", "_meta": META},
    }
    one.write(slow)
    one.write(slow)
    assert one.read()["error"]["code"] == -32600
    assert text_of(one.read()) == "slow"


def test_a_cancelled_call_is_never_answered(desktop: Callable[[], Desktop]) -> None:
    """E42, E43."""
    one = desktop()
    one.open()
    one.write({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "bank__slow"}})
    one.write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}})
    assert one.ask("ping", number=10)["id"] == 10
    one.end()
    assert one.lines.empty()


def test_the_end_of_the_input_lets_calls_in_flight_end(desktop: Callable[[], Desktop]) -> None:
    """E39."""
    one = desktop()
    one.write(
        {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "bank__slow", "_meta": META}}
    )
    assert one.end() == 0
    assert text_of(one.read()) == "slow"


def test_a_signal_ends_it_cleanly_and_children_go_with_it(
    desktop: Callable[[], Desktop], config: Path
) -> None:
    """E39, E83."""
    one = desktop()
    one.open()
    assert "result" in one.ask("tools/call", {"name": "child__add", "arguments": {"a": 1, "b": 2}})
    children = Path(f"/proc/{one.process.pid}/task/{one.process.pid}/children").read_text().split()
    assert len(children) == 1
    one.process.send_signal(signal.SIGTERM)
    assert one.wait() == 0
    assert not Path(f"/proc/{children[0]}").exists()
    assert records(config.parent)[-1]["method"] == "stop"


def test_a_client_that_no_longer_reads_ends_it(config: Path) -> None:
    """E36: half-open, since its input stays open."""
    command = [sys.executable, "-m", "toolgate", "run", "--stdio", "-c", str(config)]
    ask = (
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": META}}) + "\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(ask.encode())
        process.stdin.flush()
        assert process.stdout.readline()
        process.stdout.close()
        process.stdin.write(ask.encode())
        process.stdin.flush()
        assert process.wait(20) == 0


def test_a_stray_print_never_reaches_the_client(desktop: Callable[[], Desktop], config: Path) -> None:
    """Standard output carries messages only; what else is said goes to standard error."""
    config.write_text(config.read_text() + "log: {level: debug}\n")
    one = desktop()
    one.open()
    one.ask("tools/list")
    one.end()
    assert b"serving standard input" in one.stderr
    while not one.lines.empty():
        assert one.read()["jsonrpc"] == "2.0"


def test_input_and_output_may_be_files(config: Path, tmp_path: Path) -> None:
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**CALL, "_meta": META}},
    ]
    (tmp_path / "in").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with (tmp_path / "in").open() as given, (tmp_path / "out").open("w") as taken:
        command = [sys.executable, "-m", "toolgate", "run", "--stdio", "-c", str(config)]
        done = subprocess.run(command, stdin=given, stdout=taken, stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 0, done.stderr
    assert text_of(json.loads((tmp_path / "out").read_text())) == "read_account"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_on_the_official_sdk_is_served(config: Path, mode: Any) -> None:
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "toolgate", "run", "--stdio", "-c", str(config)],
        cwd=config.parent,
    )
    async with Client(command, mode=mode) as client:
        tools = await client.list_tools()
        assert "bank__read_account" in [tool.name for tool in tools.tools]
        result = await client.call_tool("bank__read_account", {})
        assert result.content[0].text == "read_account"  # type: ignore[union-attr]
        echoed = await client.call_tool("child__add", {"a": 1, "b": 2})
        assert not echoed.is_error
    seen = Bank.seen[-1]["message"]["params"]
    assert ("_meta" in seen and "io.modelcontextprotocol/protocolVersion" in seen["_meta"]) is (
        mode == "auto"
    )
