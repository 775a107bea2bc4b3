"""A client with a session at a server that knows 2026-07-28 only: it notices nothing."""

import json
import socket
from collections.abc import Iterator

import pytest
from crossing_desk import Desk, serving
from crossing_gateway import KEYS, MODERN, Gateway, running

pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk("stateless")


@pytest.fixture(scope="module")
def gateway(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(desk) as port:
        servers = f"  desk: {{url: 'http://127.0.0.1:{port}/mcp'}}"
        with running(tmp_path_factory.mktemp("gateway"), servers) as gateway:
            yield gateway


async def test_the_official_client_lists_calls_reads_and_completes(gateway: Gateway) -> None:
    """20.5: every plain thing a client does."""
    from mcp_types import PromptReference

    async with gateway.client("legacy") as client:
        assert client.protocol_version == "2025-11-25"
        assert client.server_info.name == "desk"
        assert client.instructions == "Ring the bell."
        assert "add" in [tool.name for tool in (await client.list_tools()).tools]
        assert (await client.call_tool("add", {"a": 2, "b": 3})).structured_content == {"result": 5}
        assert (await client.call_tool("fail", {})).is_error
        assert (await client.read_resource("desk://bell")).contents[0].text == "ding"  # type: ignore[union-attr]
        templates = (await client.list_resource_templates()).resource_templates
        assert [one.uri_template for one in templates] == ["desk://drawer/{number}"]
        prompt = await client.get_prompt("greet", {"name": "Ann"})
        assert prompt.messages[0].content.text == "Hello Ann"  # type: ignore[union-attr]
        ref = PromptReference(type="ref/prompt", name="greet")
        completed = await client.complete(ref, {"name": "name", "value": "x"})
        assert completed.completion.values == ["x-1"]
        await client.send_ping()


def test_every_request_says_who_the_client_is(gateway: Gateway, desk: Desk) -> None:
    """20.5: the session is written into each request; E17: headers are made for it."""
    declared = {"elicitation": {}, "roots": {"listChanged": True}, "sampling": {}, "tasks": {}}
    session, _ = gateway.session(capabilities=declared)
    gateway.legacy("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}}, session=session)
    sent = desk.seen[-1]
    meta = sent["message"]["params"]["_meta"]
    assert meta["io.modelcontextprotocol/protocolVersion"] == MODERN
    assert meta["io.modelcontextprotocol/clientCapabilities"] == {
        "elicitation": {},
        "roots": {},
        "sampling": {},
    }
    assert meta["io.modelcontextprotocol/clientInfo"] == {"name": "tester", "version": "7"}
    assert (sent["headers"]["mcp-method"], sent["headers"]["mcp-name"]) == ("tools/call", "add")
    assert "mcp-session-id" not in sent["headers"]


def test_results_hold_nothing_of_the_other_kind(gateway: Gateway) -> None:
    """20.5: what only 2026-07-28 has is taken out."""
    session, opened = gateway.session()
    assert opened["protocolVersion"] == "2025-11-25"
    for method, params in (
        ("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}}),
        ("tools/list", {}),
        ("resources/read", {"uri": "desk://bell"}),
    ):
        result = gateway.legacy(method, params, session=session)[1][-1]["result"]
        assert not {"resultType", "ttlMs", "cacheScope", "_meta"} & set(result)


def test_an_error_of_the_server_is_an_answer_under_200(gateway: Gateway) -> None:
    session, _ = gateway.session()
    status, (answer,) = gateway.legacy("resources/read", {"uri": "desk://nothing"}, session=session)
    assert (status, answer["error"]["code"]) == (200, -32602)


def test_the_log_level_of_a_session_goes_with_each_request(gateway: Gateway) -> None:
    """E46: a stateless server is silent unless the request asks for its log."""
    session, _ = gateway.session()
    call = {"name": "talk", "arguments": {}}
    assert len(gateway.legacy("tools/call", call, session=session)[1]) == 1
    assert gateway.legacy("logging/setLevel", {"level": "error"}, session=session)[1][0]["result"] == {}
    messages = gateway.legacy("tools/call", call, session=session)[1]
    assert [one["params"]["data"] for one in messages[:-1]] == ["a shout"]
    other, _ = gateway.session()
    assert len(gateway.legacy("tools/call", call, session=other)[1]) == 1


def test_progress_arrives_with_the_clients_token(gateway: Gateway) -> None:
    """E41."""
    session, _ = gateway.session()
    params = {"name": "steps", "arguments": {}, "_meta": {"progressToken": "mine"}}
    messages = gateway.legacy("tools/call", params, session=session)[1]
    assert [one["params"]["progress"] for one in messages[:-1]] == [1, 2, 3]
    assert {one["params"]["progressToken"] for one in messages[:-1]} == {"mine"}


def test_a_cancelled_call_is_closed_at_the_server(gateway: Gateway, desk: Desk) -> None:
    """E42: a stateless server takes the end of the stream for the cancel."""
    session, _ = gateway.session()
    desk.started.clear()
    desk.cancelled.clear()
    body = {"jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": {"name": "wait", "arguments": {}}}
    with _sent(gateway, body, session):
        assert desk.started.wait(20)
        message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 77}}
        headers = {**_headers(session), "Content-Type": "application/json"}
        assert gateway.send("POST", "/servers/desk/mcp", json.dumps(message).encode(), headers)[0] == 202
        assert desk.cancelled.wait(20)


def test_the_same_decision_and_a_record_that_names_both_revisions(gateway: Gateway, desk: Desk) -> None:
    """A crossing weakens no policy."""
    session, _ = gateway.session()
    desk.seen.clear()
    call = {"name": "add", "arguments": {"a": 1001, "b": 1}}
    assert gateway.legacy("tools/call", call, session=session)[1][0]["result"]["isError"] is True
    hidden = gateway.legacy("tools/call", {"name": "hidden", "arguments": {}}, session=session)[1][0]
    assert hidden["error"]["code"] == -32602
    assert desk.methods() == []
    gateway.legacy("tools/call", {"name": "add", "arguments": {"a": 1, "b": 1}}, session=session)
    record = gateway.records()[-1]
    assert (record["revision"], record["upstream_revision"]) == ("2025-11-25", MODERN)


def test_arguments_that_belong_into_headers_are_put_there_before_and_after_the_tools_were_listed(
    gateway: Gateway, desk: Desk
) -> None:
    """E25, 6: a server that wants a header refuses the call; its schema is read and the call made once."""
    gateway.stop()
    gateway.start()
    session, _ = gateway.session()
    call = {"name": "place", "arguments": {"region": "Grüße"}}
    for methods in (["tools/call", "tools/list", "tools/call"], ["tools/call"]):
        desk.seen.clear()
        answer = gateway.legacy("tools/call", call, session=session)[1][-1]
        assert answer["result"]["content"][0]["text"] == "Grüße"
        assert desk.methods() == methods
        assert desk.seen[-1]["headers"]["mcp-param-region"] == "=?base64?R3LDvMOfZQ==?="


def test_a_session_works_at_the_server_after_the_gateway_forgot_everything(
    gateway: Gateway, desk: Desk
) -> None:
    """The session is in its id: another process that has the keys needs no word of the client's."""
    session, _ = gateway.session()
    gateway.stop()
    gateway.start()
    call = {"name": "add", "arguments": {"a": 1, "b": 1}}
    assert gateway.legacy("tools/call", call, session=session)[1][0]["result"]["structuredContent"] == {
        "result": 2
    }


def _headers(session: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {KEYS['ann']}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2025-11-25",
        "Mcp-Session-Id": session,
    }


def _sent(gateway: Gateway, body: dict[str, object], session: str) -> socket.socket:
    text = json.dumps(body).encode()
    head = "".join(f"{key}: {value}\r\n" for key, value in _headers(session).items())
    start = f"POST /servers/desk/mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{head}"
    connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=30)
    connection.sendall(start.encode() + b"content-length: %d\r\n\r\n%b" % (len(text), text))
    return connection
