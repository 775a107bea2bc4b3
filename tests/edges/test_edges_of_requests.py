"""Odd requests: what each gets, and that nothing of it reaches a server that should not."""

import http.client
import json
from pathlib import Path
from typing import Any

import pytest
from aggregate_support import META, MODERN, Aggregate
from http_peer import Peer

DOOR = "/servers/a/mcp"
CALL = {"name": "t", "arguments": {}, "_meta": META}
LEGACY = {"MCP-Protocol-Version": "2025-11-25"}


def stateless(method: str, name: str | None = None, **more: str) -> dict[str, str]:
    headers = {**common(), "MCP-Protocol-Version": MODERN, "Mcp-Method": method}
    return {**headers, **({} if name is None else {"Mcp-Name": name}), **more}


def common() -> dict[str, str]:
    accept = "application/json, text/event-stream"
    return {"Content-Type": "application/json", "Accept": accept, "Authorization": "Bearer tg_owner"}


def message(method: str, params: Any, number: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def refused(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, int]:
    """Status and code."""
    return answer[0], json.loads(answer[2])["error"]["code"]


@pytest.mark.parametrize("headers", [stateless("x"), {**common(), **LEGACY}, common()])
@pytest.mark.parametrize("method", ["notifications/initialized", "notifications/nobody/knows"])
def test_a_notification_gets_202_and_not_a_word(
    gateway: Aggregate, headers: dict[str, str], method: str
) -> None:
    """P3.1, E05."""
    status, answered, body = gateway.send("POST", DOOR, {"jsonrpc": "2.0", "method": method}, headers)
    assert (status, body) == (202, b"")
    assert "content-type" not in answered


@pytest.mark.parametrize("accept", ["*/*", None, "application/json", "text/event-stream"])
def test_whatever_a_client_accepts_it_gets_in_that_form(
    gateway: Aggregate, a: Peer, accept: str | None
) -> None:
    """E15."""
    headers = stateless("tools/call", "t")
    del headers["Accept"]
    if accept is not None:
        headers["Accept"] = accept
    status, answered, body = gateway.send("POST", DOOR, message("tools/call", CALL), headers)
    assert status == 200
    stream = accept == "text/event-stream"
    assert answered["content-type"] == ("text/event-stream" if stream else "application/json")
    assert (b"\ndata: {" in b"\n" + body) is stream


def test_a_name_in_base64_is_read_before_anybody_decides(gateway: Aggregate, a: Peer) -> None:
    """P6.2, E12, E18: and goes on in a form that no header can be made of."""
    name = "grüße\r\nx: y"
    encoded = "=?base64?Z3LDvMOfZQ0KeDogeQ==?="
    params = {**CALL, "name": name}
    status, _, _ = gateway.send("POST", DOOR, message("tools/call", params), stateless("tools/call", encoded))
    assert status == 200
    assert a.asked[-1].message["params"]["name"] == name
    assert a.asked[-1].headers["mcp-name"] == encoded
    assert "x" not in a.asked[-1].headers
    for bad in ("=?base64?Z3L?=", "=?base64?Z3LDvMOfZQ0KeDogeR==?=", "=?base64?/////w==?="):
        assert refused(
            gateway.send("POST", DOOR, message("tools/call", params), stateless("tools/call", bad))
        ) == (
            400,
            -32020,
        )


def test_a_name_on_a_method_that_has_none_is_ignored(gateway: Aggregate, a: Peer) -> None:
    """E19."""
    answer = gateway.send("POST", DOOR, message("tools/list", {"_meta": META}), stateless("tools/list", "x"))
    assert answer[0] == 200
    assert "mcp-name" not in a.asked[-1].headers


@pytest.mark.parametrize(
    ("twice", "value"),
    [("Mcp-Method", "tools/call"), ("Mcp-Name", "t"), ("MCP-Protocol-Version", MODERN)],
)
def test_a_routing_header_that_stands_twice_is_refused(
    gateway: Aggregate, a: Peer, twice: str, value: str
) -> None:
    """E13: joined by a proxy or not."""
    body = json.dumps(message("tools/call", CALL)).encode()
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    connection.putrequest("POST", DOOR)
    for name, one in {**stateless("tools/call", "t"), "Content-Length": str(len(body))}.items():
        connection.putheader(name, one)
    connection.putheader(twice, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]["code"]) == (400, -32020)
    connection.close()
    joined = stateless("tools/call", "t", **{twice: f"{value}, {value}"})
    assert refused(gateway.send("POST", DOOR, message("tools/call", CALL), joined)) == (400, -32020)
    assert "tools/call" not in a.methods()


@pytest.mark.parametrize("headers", [{**common(), **LEGACY}, common()])
def test_headers_of_the_stateless_kind_are_never_believed_without_its_version(
    gateway: Aggregate, a: Peer, headers: dict[str, str]
) -> None:
    """E21: the body alone says what an old client wants, and that is what is judged."""
    lying = {**headers, "Mcp-Method": "tools/list", "Mcp-Name": "open", "Authorization": "Bearer tg_guest"}
    body = message("tools/call", {"name": "closed", "arguments": {}})
    answer = json.loads(gateway.send("POST", DOOR, body, lying)[2])
    assert answer["error"]["code"] == -32602
    assert "tools/call" not in a.methods()


def test_a_version_of_the_future_is_told_what_there_is(gateway: Aggregate, a: Peer) -> None:
    """P8.2, E22."""
    future = "2027-01-01"
    meta = {**META, "io.modelcontextprotocol/protocolVersion": future}
    headers = stateless("tools/list", **{"MCP-Protocol-Version": future})
    answer = gateway.send("POST", DOOR, message("tools/list", {"_meta": meta}), headers)
    assert refused(answer) == (400, -32022)
    assert json.loads(answer[2])["error"]["data"] == {"supported": [MODERN], "requested": future}
    assert a.asked == []


def test_another_version_header_within_a_session_changes_nothing(gateway: Aggregate, a: Peer) -> None:
    """E23, E24: nor does none."""
    _, session = gateway.initialize()
    for version in ("2025-06-18", None):
        headers = {**common(), "Mcp-Session-Id": session}
        if version is not None:
            headers["MCP-Protocol-Version"] = version
        status, _, body = gateway.send("POST", "/mcp", message("ping", {}), headers)
        assert (status, json.loads(body)["result"]) == (200, {})
    unsupported = {**common(), "Mcp-Session-Id": session, "MCP-Protocol-Version": "2024-01-01"}
    assert gateway.send("POST", "/mcp", message("ping", {}), unsupported)[0] == 400


def test_without_version_and_session_a_client_is_of_2025_03_26(gateway: Aggregate) -> None:
    """E24: whose arrays are served."""
    body = [message("ping", {}, 1), message("ping", {}, "2")]
    status, _, answer = gateway.send("POST", "/mcp", body, common())
    assert (status, [one["id"] for one in json.loads(answer)]) == (200, [1, "2"])


@pytest.mark.parametrize("session", ["x y", "é", "x" * 5000, ""])
def test_a_session_id_that_no_gateway_made_is_refused_before_any_search(
    gateway: Aggregate, session: str
) -> None:
    """P6.3, E12, E87: and is no matter to clients without sessions."""
    headers = {**common(), **LEGACY, "Mcp-Session-Id": session}
    assert gateway.send("POST", "/mcp", message("ping", {}), headers)[0] == 400
    ignored = stateless("tools/list", **{"Mcp-Session-Id": session})
    assert gateway.send("POST", "/mcp", message("tools/list", {"_meta": META}), ignored)[0] == 200
    assert "x" * 5000 not in gateway.log()


@pytest.mark.parametrize(
    ("asked", "agreed"), [(MODERN, "2025-11-25"), ("2099-01-01", "2025-11-25"), ("2025-06-18", "2025-06-18")]
)
def test_initialize_is_answered_with_a_revision_that_has_sessions(
    gateway: Aggregate, asked: str, agreed: str
) -> None:
    """P3.3, E88."""
    params = {"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    assert gateway.in_session("initialize", params)[0]["protocolVersion"] == agreed


def test_a_token_in_the_address_is_none(gateway: Aggregate) -> None:
    """P15.2, E77: it would stand in every log on the way."""
    headers = stateless("tools/list")
    del headers["Authorization"]
    body = message("tools/list", {"_meta": META})
    for query in ("access_token=tg_owner", "api_key=tg_owner", "token=tg_owner"):
        assert gateway.send("POST", f"/mcp?{query}", body, headers)[0] == 401
    assert "tg_owner" not in gateway.log()


def test_a_page_that_may_call_is_told_which_headers_it_may_send_and_read(gateway: Aggregate) -> None:
    """E75."""
    asks = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    status, headers, _ = gateway.send("OPTIONS", "/mcp", b"", asks)
    allowed = headers["access-control-allow-headers"].lower()
    assert (status, headers["access-control-allow-origin"]) == (204, "http://localhost:3000")
    for name in ("mcp-protocol-version", "mcp-method", "mcp-name", "last-event-id", "authorization"):
        assert name in allowed
    assert "mcp-session-id" in headers["access-control-expose-headers"].lower()
    assert headers.get("access-control-allow-credentials") is None
    assert gateway.send("OPTIONS", "/mcp", b"", {**asks, "Origin": "https://evil.example.com"})[0] == 403


@pytest.mark.parametrize(
    "params",
    [
        {**CALL, "requestState": "x" * 65_537},
        {**CALL, "requestState": 1},
        {**CALL, "_meta": {**META, "progressToken": "x" * 1025}},
        {**CALL, "_meta": {**META, "progressToken": 1.5}},
        {**CALL, "_meta": {**META, "progressToken": None}},
    ],
)
def test_what_is_carried_back_and_forth_has_a_bound_and_a_type(
    gateway: Aggregate, a: Peer, params: dict[str, Any]
) -> None:
    """E71."""
    answer = gateway.send("POST", DOOR, message("tools/call", params), stateless("tools/call", "t"))
    assert refused(answer) == (400, -32602)
    assert a.asked == []


@pytest.mark.parametrize("arguments", [{"n": 1}, {"n": None}, {"n": {}}, ["n"], "n"])
def test_arguments_of_prompts_are_strings(gateway: Aggregate, a: Peer, arguments: Any) -> None:
    """E61."""
    params = {"name": "p", "arguments": arguments, "_meta": META}
    answer = gateway.send("POST", DOOR, message("prompts/get", params), stateless("prompts/get", "p"))
    assert refused(answer) == (400, -32602)
    assert "error" in gateway.in_session("prompts/get", {"name": "p", "arguments": arguments}, door=DOOR)[0]
    assert "prompts/get" not in a.methods()


@pytest.mark.parametrize("method", ["vendor.example/x", "tasks/list", "roots/list", "ping", "initialize"])
def test_a_method_that_nobody_knows_does_not_exist(gateway: Aggregate, a: Peer, method: str) -> None:
    """P8.1, E84: nor does one that no rule lets pass."""
    body = message(method, {"_meta": META})
    for door in ("/mcp", DOOR):
        assert refused(gateway.send("POST", door, body, stateless(method))) == (404, -32601)
    if method in ("vendor.example/x", "tasks/list"):
        assert gateway.in_session(method, door=DOOR)[0]["error"]["code"] == -32601
    assert a.asked == []


def test_a_method_that_only_an_extension_knows_goes_to_the_one_server_behind_a_door(
    a: Peer, tmp_path: Path
) -> None:
    """E84: where the policy lets pass what it does not name."""
    a.answers["vendor/x"] = lambda asked: (200, {"result": {"got": asked["params"]["x"]}}, {})
    open_door = Aggregate(tmp_path, {"a": f"{{url: '{a.url}'}}"}, "version: 1\ndefault: allow\nrules: []\n")
    try:
        assert open_door.ask("vendor/x", {"x": [1e2]}, door=DOOR) == {"got": [1e2]}
        for method in ("tasks/list", "sampling/createMessage", "notifications/x"):
            assert open_door.ask(method, door=DOOR)["error"]["code"] == -32601
        assert open_door.ask("vendor/x")["error"]["code"] == -32601
    finally:
        open_door.stop()
    assert a.methods().count("vendor/x") == 1
