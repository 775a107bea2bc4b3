"""A client of 2026-07-28 at a server that knows revisions with sessions only: it notices nothing."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from crossing_desk import Desk, serving
from crossing_gateway import KEYS, META, MODERN, Gateway, running

_CHILD = f"  child: {{command: '{sys.executable}', args: ['{Path(__file__).parent / 'crossing_child.py'}']}}"
pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk("sessions")


@pytest.fixture(scope="module")
def gateway(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(desk) as port:
        servers = f"  desk: {{url: 'http://127.0.0.1:{port}/mcp'}}\n{_CHILD}"
        with running(tmp_path_factory.mktemp("gateway"), servers) as gateway:
            yield gateway


@pytest.mark.parametrize("mode", [MODERN, "auto"])
async def test_the_official_client_lists_calls_reads_and_completes(gateway: Gateway, mode: str) -> None:
    """20.1: every plain thing a client does."""
    async with gateway.client(mode) as client:
        assert client.protocol_version == MODERN
        assert "add" in [tool.name for tool in (await client.list_tools()).tools]
        assert (await client.call_tool("add", {"a": 2, "b": 3})).structured_content == {"result": 5}
        assert (await client.call_tool("fail", {})).is_error
        listed = [str(one.uri) for one in (await client.list_resources()).resources]
        assert listed == ["desk://bell", "ui://desk/bell"]
        assert (await client.read_resource("desk://bell")).contents[0].text == "ding"  # type: ignore[union-attr]
        templates = (await client.list_resource_templates()).resource_templates
        assert [one.uri_template for one in templates] == ["desk://drawer/{number}"]
        prompt = await client.get_prompt("greet", {"name": "Ann"})
        assert prompt.messages[0].content.text == "Hello Ann"  # type: ignore[union-attr]
        from mcp_types import PromptReference

        ref = PromptReference(type="ref/prompt", name="greet")
        completed = await client.complete(ref, {"name": "name", "value": "x"})
        assert completed.completion.values == ["x-1"]


def test_a_warm_call_is_one_request_to_the_server(gateway: Gateway, desk: Desk) -> None:
    call = {"name": "add", "arguments": {"a": 1, "b": 2}}
    gateway.modern("tools/call", call)
    desk.seen.clear()
    for _ in range(5):
        status, (answer,) = gateway.modern("tools/call", call)
        assert (status, answer["result"]["structuredContent"]) == (200, {"result": 3})
    assert desk.methods() == ["tools/call"] * 5


def test_the_envelope_stays_here_and_foreign_meta_goes_on(gateway: Gateway, desk: Desk) -> None:
    """E11: `_meta` is an open object; its envelope keys are of the other kind of protocol."""
    gateway.modern("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}}, meta={"com.example/x": 1})
    sent = desk.seen[-1]
    assert sent["message"]["params"]["_meta"] == {"com.example/x": 1}
    assert "mcp-method" not in sent["headers"]
    assert "mcp-session-id" in sent["headers"]


def test_results_say_what_kind_they_are(gateway: Gateway) -> None:
    """9.1, 9.3, E62: what a server with sessions says is private and stale at once."""
    result = gateway.modern("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}})[1][0]["result"]
    assert result["resultType"] == "complete"
    assert "ttlMs" not in result
    for method, params in (
        ("tools/list", {}),
        ("resources/read", {"uri": "desk://bell"}),
        ("server/discover", {}),
    ):
        result = gateway.modern(method, params)[1][0]["result"]
        assert (result["resultType"], result["ttlMs"], result["cacheScope"]) == ("complete", 0, "private")


def test_discover_says_what_initialize_said(gateway: Gateway) -> None:
    """20.1."""
    result = gateway.modern("server/discover")[1][0]["result"]
    assert result["supportedVersions"] == [MODERN]
    assert result["instructions"] == "Ring the bell."
    assert "tools" in result["capabilities"]
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "desk"


def test_a_missing_resource_is_invalid_params(gateway: Gateway) -> None:
    """-32002 is never said to a client of 2026-07-28; a translated error travels under 200."""
    status, (answer,) = gateway.modern("resources/read", {"uri": "desk://nothing"})
    assert (status, answer["error"]["code"]) == (200, -32602)


def test_progress_arrives_on_the_calls_stream_with_the_clients_token(gateway: Gateway) -> None:
    """E41."""
    messages = gateway.modern(
        "tools/call", {"name": "steps", "arguments": {}}, meta={"progressToken": "mine"}
    )[1]
    assert [one["params"]["progress"] for one in messages[:-1]] == [1, 2, 3]
    assert {one["params"]["progressToken"] for one in messages[:-1]} == {"mine"}
    assert messages[-1]["result"]["content"][0]["text"] == "done"


def test_logs_are_for_the_calls_that_asked_and_as_loud_as_they_asked(gateway: Gateway, desk: Desk) -> None:
    """E46, E47: one session serves many calls, each with a level of its own."""
    key = "io.modelcontextprotocol/logLevel"
    call = {"name": "talk", "arguments": {}}
    quiet = gateway.modern("tools/call", call)[1]
    assert [one for one in quiet if one.get("method") == "notifications/message"] == []
    loud = gateway.modern("tools/call", call, meta={key: "debug"})[1]
    assert [one["params"]["data"] for one in loud[:-1]] == ["a whisper", "a shout"]
    desk.seen.clear()
    calm = gateway.modern("tools/call", call, meta={key: "error"})[1]
    assert [one["params"]["data"] for one in calm[:-1]] == ["a shout"]
    assert desk.methods() == ["tools/call"]
    status, (answer,) = gateway.modern("tools/call", call, meta={key: "shouting"})
    assert (status, answer["error"]["code"]) == (400, -32602)


def test_a_client_that_closes_the_stream_cancels_at_the_server(gateway: Gateway, desk: Desk) -> None:
    """P12.1, E36, E42: closing is the cancel of 2026-07-28; servers with sessions are told by a notification."""
    desk.started.clear()
    desk.cancelled.clear()
    desk.seen.clear()
    params = {"name": "wait", "arguments": {}, "_meta": {**META, "progressToken": 1}}
    headers = {
        "Authorization": f"Bearer {KEYS['ann']}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "wait",
    }
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    connection.request("POST", "/servers/desk/mcp", body, headers)
    assert desk.started.wait(20)
    connection.close()
    assert desk.cancelled.wait(20)
    sent = {one["message"]["method"]: one["message"] for one in desk.seen}
    assert sent["notifications/cancelled"]["params"]["requestId"] == sent["tools/call"]["id"]


def test_the_same_decision_and_a_record_that_names_both_revisions(gateway: Gateway, desk: Desk) -> None:
    """A crossing weakens no policy: hidden is unknown, refused is refused, and nothing reaches the server."""
    desk.seen.clear()
    refused = gateway.modern("tools/call", {"name": "add", "arguments": {"a": 1001, "b": 1}})[1][0]
    assert refused["result"]["content"][0]["text"] == "Too large."
    assert gateway.modern("tools/call", {"name": "hidden", "arguments": {}})[1][0]["error"]["code"] == -32602
    assert "hidden" not in [tool["name"] for tool in gateway.modern("tools/list")[1][0]["result"]["tools"]]
    assert "tools/call" not in desk.methods()
    gateway.modern("tools/call", {"name": "add", "arguments": {"a": 1, "b": 1}})
    record = gateway.records()[-1]
    assert (record["revision"], record["upstream_revision"]) == (MODERN, "2025-11-25")
    assert record["decision"] == "allow"


def test_sessions_at_the_server_belong_to_one_principal_and_one_set_of_capabilities(
    gateway: Gateway, desk: Desk
) -> None:
    """E27, E32."""
    call = {"name": "add", "arguments": {"a": 1, "b": 1}}
    sessions = []
    for key, capabilities in (("ann", {}), ("bob", {}), ("ann", {"roots": {}}), ("ann", {})):
        gateway.modern("tools/call", call, key=key, capabilities=capabilities)
        sessions.append(desk.seen[-1]["headers"]["mcp-session-id"])
    assert sessions[0] == sessions[3]
    assert len(set(sessions)) == 3
    first = [one["message"] for one in desk.seen if one["message"].get("method") == "initialize"][-1]
    assert first["params"]["capabilities"] == {"roots": {}}


def test_a_session_the_server_forgot_is_opened_anew_without_a_word(gateway: Gateway, desk: Desk) -> None:
    """E28: the server answers 404 before it does anything, so no call runs twice."""
    call = {"name": "add", "arguments": {"a": 1, "b": 1}}
    gateway.modern("tools/call", call)
    session = desk.seen[-1]["headers"]["mcp-session-id"]
    desk.forgotten.add(session)
    desk.done.clear()
    desk.seen.clear()
    status, (answer,) = gateway.modern("tools/call", call)
    assert (status, answer["result"]["structuredContent"]) == (200, {"result": 2})
    assert desk.done == ["add"]
    assert desk.methods() == ["tools/call", "initialize", "notifications/initialized", "tools/call"]


def test_calls_at_once_share_one_handshake(gateway: Gateway, desk: Desk) -> None:
    desk.seen.clear()
    capabilities = {"experimental": {"x": {"y": time.time()}}}
    call = {"name": "add", "arguments": {"a": 1, "b": 1}}

    def one() -> None:
        gateway.modern("tools/call", call, capabilities=capabilities)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert desk.methods().count("initialize") == 1
    assert desk.methods().count("tools/call") == 8


async def test_a_server_on_stdio_is_reached_alone_and_behind_the_shared_door(gateway: Gateway) -> None:
    async with gateway.client(MODERN, door="child") as client:
        assert (await client.call_tool("add", {"a": 2, "b": 3})).structured_content == {"result": 5}
    async with gateway.client(MODERN, door="") as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert {"child__add", "desk__add"} <= set(names)
        assert (await client.call_tool("child__add", {"a": 2, "b": 3})).structured_content == {"result": 5}
        assert (await client.call_tool("desk__add", {"a": 2, "b": 3})).structured_content == {"result": 5}


def test_a_server_that_became_another_is_found_out_by_the_call_that_fails(tmp_path: Path) -> None:
    """19.2: a stale verdict fails once and is not kept."""
    desk = Desk("stateless")
    call = {"name": "add", "arguments": {"a": 1, "b": 1}}
    with (
        serving(desk) as port,
        running(tmp_path, f"  desk: {{url: 'http://127.0.0.1:{port}/mcp'}}") as gateway,
    ):
        assert gateway.modern("tools/call", call)[1][-1]["result"]["structuredContent"] == {"result": 2}
        desk.kind = "sessions"
        assert "error" in gateway.modern("tools/call", call)[1][-1]
        assert gateway.modern("tools/call", call)[1][-1]["result"]["structuredContent"] == {"result": 2}
        assert desk.done == ["add", "add"]
