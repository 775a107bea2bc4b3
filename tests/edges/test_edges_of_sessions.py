"""Sessions of clients and of servers, at their edges."""

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aggregate_support import Aggregate
from http_peer import Answer, Peer, serving

REVISION = "2025-11-25"


def with_sessions(peer: Peer, **capabilities: Any) -> None:
    """Make a peer a server of the revisions with sessions."""
    said = {
        "protocolVersion": REVISION,
        "capabilities": capabilities,
        "serverInfo": {"name": "s", "version": "1"},
    }
    peer.answers["initialize"] = lambda _: (200, {"result": said}, {"mcp-session-id": "theirs"})
    peer.answers["tools/call"] = lambda _: (200, {"result": {"content": []}}, {})
    peer.answers["logging/setLevel"] = lambda _: (200, {"result": {}}, {})


@pytest.fixture(scope="module")
def peers() -> Iterator[tuple[Peer, Peer]]:
    with ExitStack() as stack:
        yield stack.enter_context(serving()), stack.enter_context(serving())


@pytest.fixture(scope="module")
def gateway(peers: tuple[Peer, Peer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aggregate]:
    for peer in peers:
        with_sessions(peer, tools={}, logging={})
    servers = {name: f"{{url: '{peer.url}'}}" for name, peer in zip(("a", "b"), peers, strict=True)}
    running = Aggregate(tmp_path_factory.mktemp("sessions"), servers)
    yield running
    running.stop()


def test_an_id_that_is_in_flight_is_refused_and_the_first_call_goes_on(
    gateway: Aggregate, peers: tuple[Peer, Peer]
) -> None:
    """E03."""
    sent, go = threading.Event(), threading.Event()

    def slow(_: Any) -> Answer:
        sent.set()
        assert go.wait(30)
        return 200, {"result": {"content": [{"type": "text", "text": "first"}]}}, {}

    peers[0].answers["tools/call"] = slow
    _, session = gateway.initialize()
    answers: list[Any] = []
    call = ("tools/call", {"name": "a__t", "arguments": {}})
    first = threading.Thread(target=lambda: answers.append(gateway.in_session(*call, session=session)[0]))
    first.start()
    assert sent.wait(30)
    second, _ = gateway.in_session(*call, session=session)
    go.set()
    first.join(30)
    with_sessions(peers[0], tools={}, logging={})
    assert second["error"]["code"] == -32600
    assert answers[0]["content"][0]["text"] == "first"
    assert "error" not in gateway.in_session(*call, session=session)[0]


def test_a_level_is_told_to_every_server_and_one_refusal_does_not_fail_it(
    gateway: Aggregate, peers: tuple[Peer, Peer]
) -> None:
    """E46."""
    _, session = gateway.initialize()
    peers[0].answers["logging/setLevel"] = lambda _: (200, {"error": {"code": -32603, "message": "no"}}, {})
    for peer in peers:
        peer.asked.clear()
    said, _ = gateway.in_session("logging/setLevel", {"level": "debug"}, session=session)
    with_sessions(peers[0], tools={}, logging={})
    assert said == {}
    for peer in peers:
        told = [one.message["params"] for one in peer.asked if one.method == "logging/setLevel"]
        assert told == [{"level": "debug"}]


def test_a_session_has_one_stream_at_a_time_and_a_stopping_gateway_ends_it(gateway: Aggregate) -> None:
    """E30, E39."""
    _, session = gateway.initialize()
    headers = {"Authorization": "Bearer tg_owner", "Mcp-Session-Id": session, "Accept": "text/event-stream"}
    headers["MCP-Protocol-Version"] = REVISION
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)) as first:
        first.request("GET", "/mcp", headers=headers)
        with first.getresponse() as answer:
            assert (answer.status, answer.getheader("content-type")) == (200, "text/event-stream")
            status, _, text = gateway.send("GET", "/mcp", b"", headers)
            assert (status, json.loads(text)["error"]["code"]) == (409, -32600)
            gateway.stop()
            assert b"jsonrpc" not in answer.read()
    gateway.start()


def test_what_two_servers_can_do_is_promised_together_in_sessions_too(gateway: Aggregate) -> None:
    """E56, E85: by the gateway in its own name."""
    result, _ = gateway.initialize()
    assert result["capabilities"] == {"logging": {}, "tools": {}}
    assert result["serverInfo"]["name"] == "toolgate"


def test_a_method_of_an_extension_does_not_cross_to_the_other_kind(
    peers: tuple[Peer, Peer], tmp_path: Path
) -> None:
    """E84: a server with sessions would answer with an error that is no sign of an unknown method."""
    policy = "version: 1\ndefault: allow\nrules: []\n"
    running = Aggregate(tmp_path, {"a": f"{{url: '{peers[0].url}'}}"}, policy)
    try:
        peers[0].answers["vendor/x"] = lambda _: (200, {"result": {}}, {})
        peers[0].asked.clear()
        assert running.ask("vendor/x", door="/servers/a/mcp")["error"]["code"] == -32601
        assert "vendor/x" not in peers[0].methods()
        assert running.in_session("vendor/x", door="/servers/a/mcp")[0] == {}
    finally:
        running.stop()
