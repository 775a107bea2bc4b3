"""Clients of HTTP+SSE (2024-11-05): an endpoint that is ours, a connection that is theirs alone."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from gateway_support import Running, bearer, records, serve_bank
from mcp import Client
from mcp.client.sse import sse_client

INITIALIZE = {
    "protocolVersion": "2024-11-05",
    "capabilities": {},
    "clientInfo": {"name": "old", "version": "1"},
}
CALL = {"name": "read_account", "arguments": {}}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    bank = serve_bank()
    running = Running(tmp_path_factory.mktemp("sse"), bank.server_address[1], "legacy_sse: true\n")
    yield running
    running.stop()
    bank.shutdown()
    bank.server_close()


class Old:
    """A client: one open stream, and posts beside it."""

    def __init__(self, gateway: Running, path: str = "/servers/bank/sse", key: str = "teller") -> None:
        self._gateway = gateway
        self._key = key
        self._connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
        self._connection.request("GET", path, headers={"Accept": "text/event-stream", **bearer(key)})
        self.answer = self._connection.getresponse()
        self.endpoint = ""
        if self.answer.status == 200:
            name, self.endpoint = self.event()
            assert name == "endpoint"

    def event(self) -> tuple[str, str]:
        """Name and data of the next event."""
        name = data = ""
        while line := self.answer.readline().decode().rstrip("\n"):
            field, _, value = line.partition(": ")
            name, data = (value, data) if field == "event" else (name, value)
        return name, data

    def post(self, message: Any, key: str = "", endpoint: str = "") -> tuple[int, bytes]:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        headers = {"Content-Type": "application/json", **bearer(key or self._key)}
        status, _, text = self._gateway.send("POST", endpoint or self.endpoint, body, headers)
        return status, text

    def ask(self, method: str, params: dict[str, Any], number: Any = 1) -> Any:
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        assert self.post(message)[0] == 202
        return json.loads(self.event()[1])

    def open(self) -> Any:
        answer = self.ask("initialize", INITIALIZE, 0)
        assert self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})[0] == 202
        return answer

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


@pytest.fixture
def old(gateway: Running) -> Iterator[Old]:
    one = Old(gateway)
    yield one
    one.close()


def test_a_call_is_posted_answered_on_the_stream_and_recorded(gateway: Running, old: Old) -> None:
    assert old.open()["result"]["protocolVersion"] == "2024-11-05"
    assert old.ask("tools/call", CALL)["result"]["content"][0]["text"] == "read_account"
    assert old.ask("tools/call", {"name": "transfer_funds", "arguments": {"amount": 10001}}, "2")["id"] == "2"
    calls = [record for record in records(gateway.folder) if record.get("method") == "tools/call"]
    assert [record["decision"] for record in calls[-2:]] == ["allow", "deny"]
    assert {(record["revision"], record["agent"]) for record in calls[-2:]} == {("2024-11-05", "teller")}


def test_the_endpoint_is_a_path_of_the_gateway(old: Old) -> None:
    """E40."""
    assert old.endpoint.startswith("/servers/bank/messages?session_id=")


@pytest.mark.parametrize("whose", ["nobody", "another principal", "another door"])
def test_a_connection_of_somebody_else_does_not_exist(old: Old, whose: str) -> None:
    """E27: knowing the id is not enough."""
    old.open()
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": CALL}
    endpoint = {"nobody": old.endpoint + "x", "another door": old.endpoint.replace("/servers/bank", "")}
    status, _ = old.post(
        message, key="guest" if whose == "another principal" else "", endpoint=endpoint.get(whose, "")
    )
    assert status == 404
    assert old.ask("tools/call", CALL)["id"] == 1


def test_nobody_opens_a_stream_without_an_accepted_credential(gateway: Running) -> None:
    """E76: the challenge names the door."""
    status, headers, _ = gateway.send("GET", "/sse", headers=bearer("wrong"))
    assert status == 401
    assert headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [(b"{not json", 400, -32700), (b"[]", 400, -32600), (b'{"jsonrpc":"2.0","id":null}', 400, -32600)],
)
def test_a_bad_body_is_refused_at_its_post(old: Old, body: bytes, status: int, code: int) -> None:
    """E02, E04, E09."""
    answered, text = old.post(body)
    assert (answered, json.loads(text)["error"]["code"]) == (status, code)


def test_what_comes_before_the_handshake_is_refused_on_the_stream(old: Old) -> None:
    assert old.ask("tools/list", {})["error"]["code"] == -32600
    old.open()
    assert old.ask("initialize", INITIALIZE)["error"]["code"] == -32600


def test_the_shared_door_has_its_own_pair_of_paths(gateway: Running) -> None:
    one = Old(gateway, "/sse")
    assert one.endpoint.startswith("/messages?session_id=")
    one.open()
    assert "bank__read_account" in [tool["name"] for tool in one.ask("tools/list", {})["result"]["tools"]]
    one.close()


@pytest.mark.parametrize(("verb", "path"), [("POST", "/sse"), ("GET", "/messages"), ("DELETE", "/sse")])
def test_other_verbs_are_told_what_is_allowed(gateway: Running, verb: str, path: str) -> None:
    """E37: a client of newer transports takes it for the sign to fall back."""
    status, headers, _ = gateway.send(verb, path, headers=bearer("teller"))
    assert status == 405
    assert headers["allow"] == ("GET" if path == "/sse" else "POST")


@pytest.mark.parametrize("query", ["", "?session_id=", "?session_id=a&session_id=b", "?session_id=%ff"])
def test_an_id_that_cannot_be_meant_finds_nothing(gateway: Running, query: str) -> None:
    headers = {"Content-Type": "application/json", **bearer("teller")}
    assert gateway.send("POST", "/messages" + query, b"{}", headers)[0] in (400, 404)


def test_a_vanished_client_ends_its_session(gateway: Running) -> None:
    """E36, E37: here the connection is the session."""
    one = Old(gateway)
    one.open()
    endpoint = one.endpoint
    one.close()
    for _ in range(200):
        status, _ = one.post({"jsonrpc": "2.0", "method": "notifications/x"}, endpoint=endpoint)
        if status == 404:
            break
    assert status == 404


async def test_a_client_on_the_official_sdk_is_served(gateway: Running) -> None:
    transport = sse_client(f"http://127.0.0.1:{gateway.port}/servers/bank/sse", headers=bearer("teller"))
    async with Client(transport, mode="legacy") as client:
        assert "read_account" in [tool.name for tool in (await client.list_tools()).tools]
        result = await client.call_tool("read_account", {})
        assert result.content[0].text == "read_account"  # type: ignore[union-attr]
