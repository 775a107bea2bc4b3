"""Servers over HTTP+SSE, the transport of 2024-11-05, are served like any other."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from sdk_support import sdk_server
from sse_peer import SsePeer, serving_sse
from stdio_support import ALICE, BOB, messages, outbound, request, session, until, within_bounds

from toolgate.errors import Refusal
from toolgate.upstreams.http_client import HttpClient
from toolgate.upstreams.http_server import HttpServer
from toolgate.upstreams.http_sse import HttpSse


@pytest.fixture
def peer() -> Iterator[SsePeer]:
    with serving_sse() as one:
        yield one


@pytest.fixture
async def server(peer: SsePeer) -> AsyncIterator[Callable[..., HttpSse]]:
    opened: list[HttpSse] = []

    def start(**changes: Any) -> HttpSse:
        opened.append(HttpSse("old", peer.url, HttpClient(), streams=HttpClient(), **changes))
        return opened[-1]

    yield start
    async with asyncio.timeout(20):
        for one in opened:
            await one.aclose()


def answering(peer: SsePeer, method: str = "tools/call", **result: Any) -> None:
    peer.answers[method] = lambda message: [{"id": message["id"], "result": result}]


async def test_a_call_is_posted_and_answered_on_the_stream(
    peer: SsePeer, server: Callable[..., HttpSse]
) -> None:
    answering(peer, content=[], n=12345678901234567890123)
    reply = await within_bounds(server(headers=((b"x-key", b"secret"),)).exchange(request("tools/call")))
    assert reply.message is not None
    assert json.loads(reply.message)["result"]["n"] == 12345678901234567890123
    assert peer.methods() == ["initialize", "notifications/initialized", "tools/call"]
    assert all(headers["x-key"] == "secret" for headers in peer.headers)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:{port}/messages?session={number}",
        "messages?session={number}",
        "//127.0.0.1:{port}/messages?session={number}",
    ],
)
async def test_the_endpoint_is_read_against_the_url_of_the_stream(
    peer: SsePeer, server: Callable[..., HttpSse], endpoint: str
) -> None:
    """E40."""
    peer.endpoint = endpoint.replace("{port}", str(peer.server_address[1]))
    answering(peer, content=[])
    assert (await within_bounds(server().exchange(request("tools/call")))).message is not None


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://169.254.169.254/latest",
        "https://127.0.0.1:{port}/messages",
        "//other/messages",
        "http://[",
        "a b",
    ],
)
async def test_an_endpoint_at_another_origin_is_refused_and_gets_no_credential(
    peer: SsePeer, server: Callable[..., HttpSse], endpoint: str
) -> None:
    """E40, E78: it would be asked on our behalf, with our credentials."""
    peer.endpoint = endpoint.replace("{port}", str(peer.server_address[1]))
    with pytest.raises(Refusal) as caught:
        await within_bounds(server().exchange(request("tools/call")))
    assert caught.value.kind == "upstream_invalid"
    assert peer.sent == []


async def test_a_stream_whose_first_event_is_something_else_is_refused(
    peer: SsePeer, server: Callable[..., HttpSse]
) -> None:
    peer.first = "message"
    with pytest.raises(Refusal) as caught:
        await within_bounds(server().exchange(request("tools/call")))
    assert caught.value.kind == "upstream_invalid"


async def test_two_sessions_never_share_a_connection(peer: SsePeer, server: Callable[..., HttpSse]) -> None:
    """E31, E32."""
    answering(peer, content=[])
    one = server()
    for who, name in ((ALICE, "s1"), (ALICE, "s2"), (BOB, "s3"), (ALICE, "s1")):
        await within_bounds(one.exchange(request("tools/call", who, session(who, name))))
    assert [number for number, message in peer.sent if message.get("method") == "tools/call"] == [
        "1",
        "2",
        "3",
        "1",
    ]


async def test_the_order_of_handshake_and_call_holds_though_each_is_a_request_of_its_own(
    peer: SsePeer, server: Callable[..., HttpSse]
) -> None:
    answering(peer, content=[])
    one = server()
    await asyncio.gather(*(within_bounds(one.exchange(request("tools/call"))) for _ in range(10)))
    assert peer.methods()[:2] == ["initialize", "notifications/initialized"]
    assert len(peer.streams) == 1


async def test_progress_and_questions_come_on_the_stream_of_their_call(
    peer: SsePeer, server: Callable[..., HttpSse]
) -> None:
    """E31, E41."""

    def ask(message: Any) -> list[Any]:
        token = message["params"]["_meta"]["progressToken"]
        progress = {"progressToken": token, "progress": 1}
        return [
            {"method": "notifications/progress", "params": progress},
            {"id": "q", "method": "elicitation/create", "params": {}},
        ]

    peer.answers["tools/call"] = ask
    one = server()
    out = request("tools/call")
    reply = await within_bounds(one.exchange(out))
    assert reply.stream is not None
    methods = [json.loads(await within_bounds(anext(reply.stream)))["method"] for _ in range(2)]
    assert methods == ["notifications/progress", "elicitation/create"]
    await one.send(outbound(b'{"jsonrpc":"2.0","id":"q","result":{"action":"decline"}}'))
    await until(lambda: peer.sent[-1][1].get("result") == {"action": "decline"})
    peer.streams["1"].put(b'data: {"jsonrpc":"2.0","id":%d,"result":{}}\n\n' % (out.id or 0))
    assert [message["result"] for message in await messages(reply)] == [{}]


async def test_a_caller_who_leaves_cancels_the_call(peer: SsePeer, server: Callable[..., HttpSse]) -> None:
    """E36, E42."""
    one = server()
    out = request("tools/call")
    task = asyncio.create_task(one.exchange(out))
    await until(lambda: "tools/call" in peer.methods())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await until(lambda: "notifications/cancelled" in peer.methods())
    assert peer.sent[-1][1]["params"]["requestId"] == out.id


async def test_what_belongs_to_no_call_reaches_the_listener(
    peer: SsePeer, server: Callable[..., HttpSse]
) -> None:
    one = server()
    heard = one.listen(session(), ALICE)
    first = asyncio.ensure_future(anext(aiter(heard)))
    await until(lambda: "notifications/initialized" in peer.methods())
    peer.streams["1"].put(b'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n')
    assert b"list_changed" in await within_bounds(first)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "upstream_invalid"), (403, "upstream_auth"), (500, "upstream_unavailable")]
)
async def test_a_message_the_server_does_not_accept_fails_its_call_at_once(
    peer: SsePeer, server: Callable[..., HttpSse], status: int, kind: str
) -> None:
    one = server()
    await within_bounds(one.initialize(session(), ALICE))
    await until(lambda: "notifications/initialized" in peer.methods())
    peer.status = status
    with pytest.raises(Refusal) as caught:
        await within_bounds(one.exchange(request("tools/call")))
    assert caught.value.kind == kind
    peer.status = 202
    answering(peer, content=[])
    assert (await within_bounds(one.exchange(request("tools/call")))).message is not None
    assert len(peer.streams) == 1


@pytest.mark.parametrize("end", ["stream", "404"])
async def test_a_connection_that_breaks_fails_its_calls_and_the_next_call_opens_another(
    peer: SsePeer, server: Callable[..., HttpSse], end: str
) -> None:
    """E28: nothing is sent twice."""
    time = [0.0]
    one = server(clock=lambda: time[0])
    await within_bounds(one.initialize(session(), ALICE))
    await until(lambda: "notifications/initialized" in peer.methods())
    if end == "404":
        peer.status = 404
    else:
        peer.answers["tools/call"] = lambda _: peer.streams["1"].put(None) or []
    with pytest.raises(Refusal) as caught:
        await within_bounds(one.exchange(request("tools/call")))
    assert caught.value.kind == "upstream_unavailable"
    assert peer.methods().count("tools/call") == 1
    peer.status = 202
    time[0] += 3600
    answering(peer, content=[])
    assert (await within_bounds(one.exchange(request("tools/call")))).message is not None
    assert peer.methods().count("initialize") == 2


async def test_a_session_that_ends_closes_its_connection(
    peer: SsePeer, server: Callable[..., HttpSse]
) -> None:
    """E37."""
    one = server()
    await within_bounds(one.initialize(session(), ALICE))
    await one.forget(session(), ALICE)

    peer.streams["1"].put(b": anybody there?\n\n")
    await until(lambda: peer.streams["1"].empty())
    await within_bounds(one.initialize(session(), ALICE))
    assert len(peer.streams) == 2


async def test_junk_on_the_stream_is_skipped_and_logged(
    peer: SsePeer, server: Callable[..., HttpSse], caplog: pytest.LogCaptureFixture
) -> None:
    peer.answers["tools/call"] = lambda message: ["{not json", {"id": message["id"], "result": {}}]
    with caplog.at_level(logging.WARNING):
        reply = await within_bounds(server().exchange(request("tools/call")))
    assert reply.message is not None
    assert "no message of the protocol" in caplog.text


async def test_a_url_that_speaks_only_http_sse_is_found_out(peer: SsePeer) -> None:
    """19.2 and 3.7: the POST fails with 405, and a GET brings the endpoint."""
    answering(peer, content=[])
    one = HttpServer("old", peer.url, HttpClient(), streams=HttpClient())
    try:
        assert not await one.speaks("2026-07-28", ALICE)
        opened = await within_bounds(one.initialize(session(), ALICE))
        assert json.loads(opened.result)["protocolVersion"] == "2024-11-05"
        assert (await within_bounds(one.exchange(request("tools/call")))).message is not None
        streams = len(peer.streams)
        await within_bounds(one.exchange(request("tools/call", BOB)))
        assert len(peer.streams) == streams + 1
    finally:
        await one.aclose()


@pytest.mark.parametrize("found_out", [False, True])
async def test_a_server_on_the_official_sdk_is_served(found_out: bool) -> None:
    with sdk_server(sse=True) as url:
        kind = HttpServer if found_out else HttpSse
        one = kind("sdk", url, HttpClient(), streams=HttpClient())
        try:
            await within_bounds(one.initialize(session(), ALICE))
            out = request("tools/call", params={"name": "hello", "arguments": {"name": "you"}})
            reply = await within_bounds(one.exchange(out))
            assert reply.message is not None
            assert json.loads(reply.message)["result"]["content"][0]["text"] == "hello you"
        finally:
            await one.aclose()
