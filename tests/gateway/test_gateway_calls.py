"""A real gateway in front of a real server: what callers of both kinds get, and what the ledger says of it."""

import json

import pytest
from gateway_support import JSON, MODERN, Bank, Running, bearer, records

from toolgate.ledger.verify import verify


@pytest.mark.parametrize("number", [-1, "1", "", 2**70])
def test_an_id_comes_back_with_its_value_and_type(gateway: Running, number: object) -> None:
    """P5.2, E01, E02."""
    status, _, answer = gateway.modern("tools/call", {"name": "read_account", "arguments": {}}, number=number)
    assert (status, answer["id"]) == (200, number)
    assert answer["result"]["content"][0]["text"] == "read_account"
    sent = Bank.seen[-1]["message"]["id"]
    assert isinstance(sent, int)
    assert sent != number


def test_the_clients_credential_never_reaches_the_server(gateway: Running) -> None:
    """P15.3, E26, E77."""
    gateway.modern("tools/call", {"name": "read_account", "arguments": {}})
    names = {name.lower() for name in Bank.seen[-1]["headers"]}
    assert not names & {"authorization", "x-api-key", "cookie"}


def test_a_large_amount_is_refused_with_the_rules_reason_and_recorded(gateway: Running) -> None:
    """AZ-05, AU-05."""
    small = {"name": "transfer_funds", "arguments": {"amount": 10}}
    assert "isError" not in gateway.modern("tools/call", small)[2]["result"]
    seen = len(Bank.seen)
    status, _, answer = gateway.modern(
        "tools/call", {"name": "transfer_funds", "arguments": {"amount": 10001}}
    )
    assert (status, answer["result"]["isError"]) == (200, True)
    assert answer["result"]["content"] == [{"type": "text", "text": "Too large for an agent."}]
    assert len(Bank.seen) == seen
    record = records(gateway.folder)[-1]
    assert (record["decision"], record["rule"], record["agent"]) == ("deny", "large", "teller")
    assert record["policy"].startswith("sha256:")
    assert record["arguments_digest"].startswith("hmac-sha256:")
    assert "arguments" not in record


def test_hidden_and_unknown_read_the_same(gateway: Running) -> None:
    """P8.3, E80: nobody finds out by calling what is there."""
    hidden = gateway.modern("tools/call", {"name": "close_account", "arguments": {}}, key="guest")
    hidden[2]["error"]["message"] = hidden[2]["error"]["message"].replace("close_account", "no_such_tool")
    unknown = gateway.modern("tools/call", {"name": "no_such_tool", "arguments": {}}, key="guest")
    assert hidden[0] == unknown[0] == 400
    assert hidden[2] == unknown[2]
    assert unknown[2]["error"]["code"] == -32602


def test_a_list_shows_what_may_be_called_and_keeps_every_other_byte(gateway: Running) -> None:
    """RG-10; a tool whose rule depends on arguments is shown; E11, E62."""
    status, _, answer = gateway.modern("tools/list")
    assert status == 200
    names = [tool["name"] for tool in answer["result"]["tools"]]
    assert "transfer_funds" in names
    assert "close_account" not in names
    assert answer["result"]["tools"][0]["x-own"] == 12345678901234567890123
    assert answer["result"]["cacheScope"] == "private"
    guest = gateway.modern("tools/list", key="guest")[2]["result"]["tools"]
    assert [tool["name"] for tool in guest] == ["read_account"]


def test_a_dead_server_costs_its_own_tools_and_is_named(gateway: Running) -> None:
    """E53, C3."""
    _, _, answer = gateway.modern("tools/list", path="/mcp")
    assert "bank__read_account" in [tool["name"] for tool in answer["result"]["tools"]]
    assert [one["server"] for one in answer["result"]["_meta"]["io.toolgate/missing"]] == ["dead"]
    call = {"name": "bank__read_account", "arguments": {}}
    assert (
        gateway.modern("tools/call", call, path="/mcp")[2]["result"]["content"][0]["text"] == "read_account"
    )


@pytest.mark.parametrize("tool", ["lie_json", "lie_id"])
def test_a_server_that_lies_costs_that_call_only(gateway: Running, tool: str) -> None:
    status, _, answer = gateway.modern("tools/call", {"name": tool, "arguments": {}})
    assert (status, answer["error"]["data"]["reason"]) == (502, "upstream_invalid")
    assert "127.0.0.1" not in json.dumps(answer)
    assert records(gateway.folder)[-1]["outcome"] == "refused"
    assert gateway.modern("tools/call", {"name": "read_account", "arguments": {}})[0] == 200


@pytest.mark.parametrize("key", [None, "tg_wrong", "eyJhbGciOiJub25lIn0.e30."])
def test_nobody_is_let_in_without_an_accepted_credential_and_it_is_recorded(
    gateway: Running, key: str
) -> None:
    """P15.1, ID-09."""
    status, headers, answer = gateway.modern("tools/list", key=key)
    assert (status, answer["error"]["data"]["reason"]) == (401, "unauthenticated")
    assert headers["www-authenticate"].startswith("Bearer")
    record = records(gateway.folder)[-1]
    assert (record["outcome"], record["code"]) == ("refused", -31401)
    assert "tg_wrong" not in json.dumps(record)


def test_a_session_belongs_to_the_caller_that_opened_it(gateway: Running) -> None:
    """P3.2, E27, A3: a foreign, an invented and an ended session are all just unknown."""
    session = gateway.initialize()
    call = {"name": "read_account", "arguments": {}}
    assert (
        gateway.legacy("tools/call", call, session=session)[2]["result"]["content"][0]["text"]
        == "read_account"
    )
    assert Bank.seen[-1]["headers"]["mcp-session-id"] == "upstream-session"
    foreign = gateway.legacy("tools/call", call, session=session, key="guest")
    unknown = gateway.legacy("tools/call", call, session="no-such-session")
    assert foreign[0] == unknown[0] == 404
    assert foreign[2] == unknown[2]
    headers = {**bearer("teller"), "Mcp-Session-Id": session}
    assert gateway.send("DELETE", "/servers/bank/mcp", b"", headers)[0] == 204
    assert gateway.legacy("tools/call", call, session=session)[0] == 404


def test_a_refusal_in_a_session_is_a_json_rpc_answer_under_200(gateway: Running) -> None:
    session = gateway.initialize()
    status, _, answer = gateway.legacy("tools/call", {"name": "close_account"}, session=session)
    assert (status, answer["error"]["code"]) == (200, -32602)


def test_ping_is_answered_here(gateway: Running) -> None:
    """E45."""
    seen = len(Bank.seen)
    assert gateway.legacy("ping", session=gateway.initialize())[2]["result"] == {}
    assert all(one["message"]["method"] != "ping" for one in Bank.seen[seen:])
    assert gateway.modern("ping")[0] == 404


def test_a_client_that_never_returns_a_session_id_is_served(gateway: Running) -> None:
    """A4."""
    assert gateway.legacy("tools/call", {"name": "read_account", "arguments": {}})[0] == 200


def test_a_session_outlives_the_gateway_process(gateway: Running) -> None:
    session = gateway.initialize()
    gateway.stop()
    gateway.start()
    answer = gateway.legacy("tools/call", {"name": "read_account", "arguments": {}}, session=session)[2]
    assert answer["result"]["content"][0]["text"] == "read_account"


def test_the_ledger_is_whole_and_tells_of_stops_and_starts(gateway: Running) -> None:
    gateway.modern("tools/call", {"name": "read_account", "arguments": {}})
    gateway.stop()
    gateway.start()
    assert verify(gateway.folder / "ledger").ok
    assert {"start", "stop"} <= {record["method"] for record in records(gateway.folder)}


def test_the_revision_alone_decides_the_kind(gateway: Running) -> None:
    """19.1: a body that claims another kind than its header is refused."""
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/list",
        "params": {"_meta": {"io.modelcontextprotocol/protocolVersion": MODERN}},
    }
    headers = {**JSON, **bearer("teller"), "MCP-Protocol-Version": "2025-11-25"}
    status, _, text = gateway.send("POST", "/mcp", json.dumps(body).encode(), headers)
    assert (status, json.loads(text)["error"]["code"]) == (400, -32020)


def test_a_server_that_lies_about_itself_is_missing_and_costs_no_incident(gateway: Running) -> None:
    """E53: `server/discover` behind the shared door is answered without it."""
    gateway.modern("tools/list")
    Bank.garbled = True
    try:
        status, _, answer = gateway.modern("server/discover", path="/mcp")
        alone = gateway.modern("server/discover")
    finally:
        Bank.garbled = False
    assert (status, answer["result"]["capabilities"]) == (200, {})
    assert "bank (upstream_invalid)" in records(gateway.folder)[-2]["detail"]
    assert (alone[0], alone[2]["error"]["data"]["reason"]) == (502, "upstream_invalid")
