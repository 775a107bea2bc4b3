"""What a server speaks is found out as section 19.2 of the protocol reference says, once, and remembered."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from http_peer import Answer, Peer, serving
from sdk_support import sdk_server
from stdio_support import ALICE, outbound, session

from toolgate.errors import Refusal
from toolgate.model import Reply
from toolgate.ports import Outbound
from toolgate.upstreams.http_client import HttpClient
from toolgate.upstreams.http_server import LEGACY_VERDICT_SECONDS, HttpServer

MODERN, LEGACY = "2026-07-28", "2025-11-25"

INITIALIZED = {"protocolVersion": LEGACY, "capabilities": {}, "serverInfo": {"name": "p", "version": "1"}}
DISCOVERED = {"supportedVersions": [MODERN], "capabilities": {}, "resultType": "complete"}


def result(value: Any, **headers: str) -> Callable[[Any], Answer]:
    return lambda _: (200, {"result": value}, headers)


def error(status: int, code: int, data: Any = None, **more: Any) -> Callable[[Any], Answer]:
    body = {"code": code, "message": "no", **({} if data is None else {"data": data})}
    return lambda _: (status, {"error": body, **more}, {})


def text(status: int) -> Callable[[Any], Answer]:
    return lambda _: (status, "no", {})


@pytest.fixture
def peer() -> Iterator[Peer]:
    with serving() as one:
        yield one


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def server(peer: Peer) -> AsyncIterator[Callable[..., HttpServer]]:
    opened: list[HttpServer] = []

    def start(**changes: Any) -> HttpServer:
        opened.append(HttpServer("peer", peer.url, HttpClient(), streams=HttpClient(), **changes))
        return opened[-1]

    yield start
    for one in opened:
        await one.aclose()


def stateless_call() -> Outbound:
    out = outbound(b'{"jsonrpc":"2.0","id":7,"method":"tools/list"}', number=7, method="tools/list")
    out.session, out.revision = None, MODERN
    return out


@pytest.mark.parametrize(
    ("answer", "stateless"),
    [
        (result(DISCOVERED), True),
        (result({"supportedVersions": [LEGACY, MODERN]}), True),
        (result({"supportedVersions": [LEGACY]}), False),
        (result({"supportedVersions": "2026-07-28"}), False),
        (error(400, -32022, {"supported": [MODERN], "requested": MODERN}), True),
        (error(400, -32022, {"supported": [LEGACY, "2025-06-18"]}), False),
        (error(400, -32022), False),
        (error(400, -32020), True),
        (error(400, -32021), True),
        # Observed: TypeScript v1, Python 1.30 stateful, stateless and within a session, and a plain web server.
        (error(400, -32000, id=None), False),
        (error(400, -32600, id="server-error"), False),
        (error(200, -32601), False),
        (error(200, -32602), False),
        (text(404), False),
        (text(405), False),
        (text(200), False),
    ],
)
async def test_the_answer_to_discover_says_what_a_server_speaks(
    peer: Peer, server: Callable[..., HttpServer], answer: Callable[[Any], Answer], stateless: bool
) -> None:
    """19.2: the probe carries the version header, without which a stateless legacy server executes calls."""
    peer.answers["server/discover"] = answer
    assert await server().speaks(MODERN, ALICE) is stateless
    (asked,) = peer.asked
    assert asked.headers["mcp-protocol-version"] == MODERN
    assert asked.headers["mcp-method"] == "server/discover"


@pytest.mark.parametrize(
    ("answer", "stateless"),
    [
        (result(INITIALIZED, **{"mcp-session-id": "one"}), False),
        (error(400, -32022, {"supported": [MODERN]}), True),
        (error(400, -32020), True),
        (error(200, -32601), False),
        (text(404), False),
    ],
)
async def test_a_404_with_method_not_found_leaves_it_to_initialize(
    peer: Peer, server: Callable[..., HttpServer], answer: Callable[[Any], Answer], stateless: bool
) -> None:
    """19.2; E25: a modern error to `initialize` shows a modern server."""
    peer.answers = {"server/discover": error(404, -32601), "initialize": answer}
    one = server()
    assert await one.speaks(MODERN, ALICE) is stateless
    assert await one.speaks(LEGACY, ALICE) is not stateless
    assert peer.methods()[:2] == ["server/discover", "initialize"]


async def test_a_session_opened_only_to_ask_is_ended_again(
    peer: Peer, server: Callable[..., HttpServer]
) -> None:
    peer.answers = {
        "server/discover": result(DISCOVERED),
        "initialize": result(INITIALIZED, **{"mcp-session-id": "one"}),
    }
    one = server()
    assert await one.speaks(MODERN, ALICE)
    assert await one.speaks(LEGACY, ALICE)
    assert peer.methods() == ["server/discover", "initialize", "DELETE"]
    assert peer.asked[-1].headers["mcp-session-id"] == "one"


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_a_refused_credential_or_a_failing_server_shows_nothing_and_is_not_kept(
    peer: Peer, server: Callable[..., HttpServer], status: int
) -> None:
    """19.2; E76: it is an upstream problem."""
    peer.answers["server/discover"] = error(status, -32000)
    one = server()
    with pytest.raises(Refusal) as caught:
        await one.speaks(MODERN, ALICE)
    assert caught.value.kind == ("upstream_auth" if status < 500 else "upstream_unavailable")
    peer.answers["server/discover"] = result(DISCOVERED)
    assert await one.speaks(MODERN, ALICE)


async def test_many_calls_at_once_ask_once_and_the_answer_is_remembered(
    peer: Peer, server: Callable[..., HttpServer]
) -> None:
    peer.answers = {"server/discover": result(DISCOVERED), "tools/list": result({"tools": []})}
    one = server()
    await asyncio.gather(*(one.exchange(stateless_call()) for _ in range(20)))
    assert peer.methods().count("server/discover") == 1


async def test_a_legacy_verdict_is_dated_and_an_upgraded_server_is_found(
    peer: Peer, server: Callable[..., HttpServer]
) -> None:
    """19.2: an upgraded server still answers `initialize`, so only asking again finds out."""
    time = Time()
    one = server(clock=time)
    peer.answers["server/discover"] = error(400, -32000)
    assert not await one.speaks(MODERN, ALICE)
    peer.answers["server/discover"] = result(DISCOVERED)
    assert not await one.speaks(MODERN, ALICE)
    time.now += LEGACY_VERDICT_SECONDS
    assert await one.speaks(MODERN, ALICE)
    time.now += 1e9
    assert await one.speaks(MODERN, ALICE)
    assert peer.methods().count("server/discover") == 2


@pytest.mark.parametrize("answer", [error(400, -32600), error(400, -32000), text(404)])
async def test_a_stale_modern_verdict_fails_loudly_and_is_forgotten(
    peer: Peer, server: Callable[..., HttpServer], answer: Callable[[Any], Answer]
) -> None:
    """19.2."""
    peer.answers = {"server/discover": result(DISCOVERED), "tools/list": answer}
    one = server()
    with contextlib.suppress(Refusal):
        assert (await one.exchange(stateless_call())).status == 400
    peer.answers["server/discover"] = error(400, -32000)
    assert not await one.speaks(MODERN, ALICE)


async def test_an_error_of_a_handler_costs_no_second_question(
    peer: Peer, server: Callable[..., HttpServer]
) -> None:
    peer.answers = {"server/discover": result(DISCOVERED), "tools/list": error(400, -32602)}
    one = server()
    for _ in range(3):
        assert (await one.exchange(stateless_call())).status == 400
    assert peer.methods().count("server/discover") == 1


async def test_a_server_of_the_other_kind_is_not_called(
    peer: Peer, server: Callable[..., HttpServer]
) -> None:
    peer.answers["server/discover"] = error(400, -32000)
    with pytest.raises(Refusal) as caught:
        await server().exchange(stateless_call())
    assert caught.value.kind == "other_kind"
    assert peer.methods() == ["server/discover"]


async def test_a_modern_only_server_that_was_taken_for_an_old_one_shows_at_the_handshake(
    peer: Peer, server: Callable[..., HttpServer]
) -> None:
    peer.answers = {"server/discover": text(405), "initialize": error(400, -32022, {"supported": [MODERN]})}
    one = server()
    with pytest.raises(Refusal) as caught:
        await one.initialize(session(), ALICE)
    assert caught.value.kind == "other_kind"
    assert await one.speaks(MODERN, ALICE)
    assert not await one.speaks(LEGACY, ALICE)


async def test_a_server_that_cannot_be_asked_may_still_shake_hands(
    peer: Peer, server: Callable[..., HttpServer]
) -> None:
    """19.2: unknown is not kept, and costs a client with sessions nothing."""
    peer.answers = {"server/discover": text(500), "initialize": result(INITIALIZED)}
    opened = await server().initialize(session(), ALICE)
    assert json.loads(opened.result)["protocolVersion"] == LEGACY


async def test_a_session_header_on_a_failed_handshake_is_ignored(
    peer: Peer, server: Callable[..., HttpServer]
) -> None:
    """E29: Python puts one on error responses."""
    refused = {"error": {"code": -32600, "message": "no"}}
    peer.answers["initialize"] = lambda _: (400, refused, {"mcp-session-id": "meaningless"})
    with pytest.raises(Refusal):
        await server(revision=LEGACY).initialize(session(), ALICE)
    peer.answers["initialize"] = result(INITIALIZED)
    assert (await server(revision=LEGACY).initialize(session(), ALICE)).session_id is None
    assert all("mcp-session-id" not in asked.headers for asked in peer.asked)


@pytest.mark.parametrize(("pin", "modern"), [(MODERN, True), (LEGACY, False), ("2024-11-05", False)])
async def test_a_pinned_revision_is_believed_unasked(
    peer: Peer, server: Callable[..., HttpServer], pin: str, modern: bool
) -> None:
    one = server(revision=pin)
    assert await one.speaks(MODERN, ALICE) is modern
    assert await one.speaks(LEGACY, ALICE) is not modern
    assert peer.asked == []


async def test_hands_are_shaken_in_the_pinned_revision_whatever_the_client_speaks(
    peer: Peer, server: Callable[..., HttpServer]
) -> None:
    peer.answers["initialize"] = result({**INITIALIZED, "protocolVersion": "2025-06-18"})
    await server(revision="2025-06-18").initialize(session(), ALICE)
    assert peer.asked[0].message["params"]["protocolVersion"] == "2025-06-18"


async def test_an_old_server_may_settle_for_the_first_revision(
    peer: Peer, server: Callable[..., HttpServer]
) -> None:
    """Many servers on Streamable HTTP answer 2024-11-05 whatever they are asked for."""
    peer.answers = {"initialize": result({**INITIALIZED, "protocolVersion": "2024-11-05"})}
    opened = await server().initialize(session(), ALICE)
    assert json.loads(opened.result)["protocolVersion"] == "2024-11-05"


LOST = {"error": {"code": -32000, "message": "Bad Request: No valid session ID provided"}}


@pytest.mark.parametrize("answer", [error(404, -32600), text(404), lambda _: (400, LOST, {})])
async def test_a_lost_session_is_opened_again_once_and_only_what_is_safe_is_sent_again(
    peer: Peer, server: Callable[..., HttpServer], answer: Callable[[Any], Answer]
) -> None:
    """E28: a call that might run twice is left to the client, who initializes again on 404."""
    peer.answers = {"initialize": result(INITIALIZED, **{"mcp-session-id": "old"})}
    one = server(revision=LEGACY)
    await one.initialize(session(), ALICE)
    peer.answers |= {"initialize": result(INITIALIZED, **{"mcp-session-id": "new"}), "tools/call": answer}

    def by_session(message: Any) -> Answer:
        known = peer.asked[-1].headers["mcp-session-id"] == "new"
        return (result({"tools": []}) if known else answer)(message)

    peer.answers["tools/list"] = by_session
    listing = outbound(b'{"jsonrpc":"2.0","id":7,"method":"tools/list"}', number=7, method="tools/list")
    listing.repeatable = True
    assert b'"tools"' in await _last(await one.exchange(listing))
    call = outbound(b'{"jsonrpc":"2.0","id":8,"method":"tools/call"}', number=8, method="tools/call")
    with pytest.raises(Refusal) as caught:
        await one.exchange(call)
    assert (caught.value.kind, caught.value.status) == ("unknown_session", 404)
    assert peer.methods().count("tools/call") == 1


async def test_a_bad_request_within_a_session_is_no_lost_session(
    peer: Peer, server: Callable[..., HttpServer]
) -> None:
    peer.answers = {
        "initialize": result(INITIALIZED, **{"mcp-session-id": "one"}),
        "tools/call": error(400, -32600),
    }
    call = outbound(b'{"jsonrpc":"2.0","id":8,"method":"tools/call"}', number=8, method="tools/call")
    assert (await server(revision=LEGACY).exchange(call)).status == 400
    assert peer.methods().count("initialize") == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(peer: Peer, server: Callable[..., HttpServer], status: int) -> None:
    """E78: our credentials are for this server alone."""
    with serving() as other:
        for method in ("server/discover", "initialize"):
            peer.answers[method] = lambda _: (status, "", {"location": other.url})
        with pytest.raises(Refusal):
            await server(headers=((b"x-key", b"secret"),)).initialize(session(), ALICE)
        assert other.asked == []


async def test_a_server_on_the_official_sdk_speaks_both_kinds() -> None:
    with sdk_server() as url:
        one = HttpServer("sdk", url, HttpClient(), streams=HttpClient())
        try:
            assert await one.speaks(MODERN, ALICE)
            assert await one.speaks(LEGACY, ALICE)
            out = stateless_call()
            assert (await one.initialize(session(), ALICE)).session_id is not None
            listed = await one.exchange(outbound(out.message, number=7, method="tools/list"))
            assert json.loads(await _last(listed))["result"]["tools"][0]["name"] == "hello"
        finally:
            await one.aclose()


async def _last(reply: Reply) -> bytes:
    if reply.message is not None:
        return reply.message
    assert reply.stream is not None
    return [message async for message in reply.stream][-1]
