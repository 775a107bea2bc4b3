"""`subscriptions/listen` as the client hears it, whatever its servers do."""

import asyncio
import json
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest

from toolgate import listening
from toolgate.errors import Refusal
from toolgate.listening import Subscription
from toolgate.model import Kind, Reply
from toolgate.protocol import subscriptions
from toolgate.protocol.subscriptions import LIST_CHANGED, Wanted
from toolgate.routing.table import Door

TOOLS = LIST_CHANGED["toolsListChanged"]
TAG = "io.modelcontextprotocol/subscriptionId"
SECONDS = 20.0


class Server:
    """One server's side: what each stream that is opened at it says, and then stays open for."""

    def __init__(self, *streams: list[dict[str, Any]] | Reply | Refusal) -> None:
        self.streams = list(streams)
        self.opened = 0
        self.closed = 0
        self.news: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def open(self) -> Reply:
        self.opened += 1
        said = self.streams.pop(0) if self.streams else []
        if isinstance(said, Refusal):
            raise said
        return said if isinstance(said, Reply) else Reply(stream=self._stream(said))

    async def _stream(self, said: list[dict[str, Any]]) -> AsyncGenerator[bytes, None]:
        try:
            for message in said:
                yield json.dumps(message).encode()
            while (message := await self.news.get()) is not None:
                yield json.dumps(message).encode()
        finally:
            self.closed += 1


def ack(*kinds: str, uris: tuple[str, ...] = ()) -> dict[str, Any]:
    agreed: dict[str, Any] = dict.fromkeys(kinds, True)
    if uris:
        agreed["resourceSubscriptions"] = list(uris)
    return say(subscriptions.ACKNOWLEDGED, notifications=agreed)


def say(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": {"_meta": {TAG: 99}, **params}}


def listen(
    servers: dict[str, Server],
    *kinds: str,
    uris: dict[str, tuple[str, ...]] | None = None,
    shared: bool = True,
    changed: listening.Changed = lambda server, kind: None,
) -> Subscription:
    door = Door("" if shared else "a", servers, "__")  # type: ignore[arg-type]
    wanted = {name: Wanted(kinds, (uris or {}).get(name, ())) for name in servers}
    return Subscription(
        b'"my-id"',
        door,
        wanted,
        lambda server, what: server.open(),  # type: ignore[attr-defined]
        changed,
        SECONDS,
    )


async def heard(messages: AsyncGenerator[bytes, None], count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(SECONDS):
        return [json.loads(await anext(messages)) for _ in range(count)]


async def test_the_first_message_says_what_will_be_heard_of() -> None:
    """P11.1, E72: the union of what the servers agreed to, under the client's own id with its type."""
    servers = {
        "a": Server([ack("toolsListChanged", uris=("x://1",))]),
        "b": Server([ack("promptsListChanged", "resourcesListChanged")]),
    }
    one = listen(servers, "toolsListChanged", "promptsListChanged", uris={"a": ("x://1", "x://2")})
    messages = one.messages()
    (first,) = await heard(messages, 1)
    await messages.aclose()
    assert first["method"] == subscriptions.ACKNOWLEDGED
    assert first["params"]["_meta"] == {TAG: "my-id"}
    assert first["params"]["notifications"] == {
        "toolsListChanged": True,
        "promptsListChanged": True,
        "resourceSubscriptions": ["a+x://1"],
    }
    assert (servers["a"].closed, servers["b"].closed) == (1, 1)


async def test_news_carry_the_clients_id_and_the_names_of_its_door() -> None:
    """P11.2, E58, E72: and what was not agreed to does not pass."""
    server = Server(
        [
            ack("toolsListChanged", uris=("x://1",)),
            say(LIST_CHANGED["promptsListChanged"]),
            say("notifications/message", level="info", data="secret"),
            say(subscriptions.UPDATED, uri="x://2"),
            say(subscriptions.UPDATED, uri="x://1/part"),
            say(TOOLS),
        ]
    )
    messages = listen({"a": server}, "toolsListChanged", uris={"a": ("x://1",)}).messages()
    _, updated, tools = await heard(messages, 3)
    await messages.aclose()
    assert updated["params"] == {"uri": "a+x://1/part", "_meta": {TAG: "my-id"}}
    assert (tools["method"], tools["params"]["_meta"]) == (TOOLS, {TAG: "my-id"})


async def test_a_storm_of_the_same_news_is_told_once() -> None:
    """E55: and with E38 bounded, however slowly the client reads."""
    server = Server([ack("toolsListChanged", uris=("x://1",)), *[say(TOOLS)] * 500])
    messages = listen({"a": server}, "toolsListChanged", uris={"a": ("x://1",)}).messages()
    await heard(messages, 1)
    server.news.put_nowait(say(subscriptions.UPDATED, uri="x://1"))
    for _ in range(600):
        await asyncio.sleep(0)
    first, second = await heard(messages, 2)
    await messages.aclose()
    assert (first["method"], second["method"]) == (TOOLS, subscriptions.UPDATED)


async def test_whoever_remembers_a_list_is_told_before_the_client() -> None:
    """E55."""
    told: list[object] = []
    server = Server([ack("toolsListChanged"), say(TOOLS), say(LIST_CHANGED["promptsListChanged"])])
    one = listen({"a": server}, "toolsListChanged", changed=lambda *what: told.append(what))
    messages = one.messages()
    await heard(messages, 2)
    await messages.aclose()
    assert told[0] == ("a", Kind.TOOL)


async def test_after_a_broken_stream_a_server_is_listened_to_again_and_a_change_is_presumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """E72: events may be lost in between."""
    monkeypatch.setattr(listening, "FIRST_PAUSE", 0.0)
    server = Server([ack("toolsListChanged", uris=("x://1",))], [ack("toolsListChanged", uris=("x://1",))])
    messages = listen({"a": server}, "toolsListChanged", uris={"a": ("x://1",)}).messages()
    await heard(messages, 1)
    server.news.put_nowait(None)
    tools, updated = await heard(messages, 2)
    await messages.aclose()
    assert (tools["method"], updated["method"]) == (TOOLS, subscriptions.UPDATED)
    assert updated["params"]["uri"] == "a+x://1"
    assert server.opened == 2


@pytest.mark.parametrize(
    "said",
    [
        Refusal.unavailable("gone"),
        Reply(message=b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}'),
        [{"jsonrpc": "2.0", "method": "notifications/message", "params": {}}],
    ],
    ids=["dead", "does not know the method", "acknowledges nothing"],
)
async def test_a_server_that_cannot_be_listened_to_is_missing_from_the_promise(said: Any) -> None:
    """E53, E72: and where nobody is left, the stream ends with its result."""
    one = listen({"a": Server(said), "b": Server([ack("toolsListChanged")])}, "toolsListChanged")
    messages = one.messages()
    (first,) = await heard(messages, 1)
    await messages.aclose()
    assert first["params"]["notifications"] == {"toolsListChanged": True}
    alone = [
        json.loads(message) async for message in listen({"a": Server(said)}, "toolsListChanged").messages()
    ]
    assert alone[0]["params"]["notifications"] == {}
    assert alone[1]["result"] == {"resultType": "complete", "_meta": {TAG: "my-id"}}


async def test_a_stopping_gateway_ends_the_stream_with_its_result() -> None:
    """P11.3, E39."""
    one = listen({"a": Server([ack("toolsListChanged")])}, "toolsListChanged")
    messages = one.messages()
    await heard(messages, 1)
    one.finish()
    (last,) = await heard(messages, 1)
    assert last["id"] == "my-id"
    with pytest.raises(StopAsyncIteration):
        await anext(messages)


async def test_another_policy_is_news_for_who_asked() -> None:
    """E55."""
    servers = {"a": Server([ack("toolsListChanged")]), "b": Server([ack("toolsListChanged")])}
    one = listen(servers, "toolsListChanged")
    messages = one.messages()
    await heard(messages, 1)
    one.renewed()
    (news,) = await heard(messages, 1)
    await messages.aclose()
    assert news["method"] == TOOLS


def test_one_caller_has_so_many_streams_at_most() -> None:
    """E72."""
    acts: list[Any] = []
    entry: Any = SimpleNamespace(then=acts.append)
    subscribers = listening.Subscribers(most=1)
    mine, other = (SimpleNamespace(id=name) for name in ("mine", "other"))
    subscribers.enter(listen({}), mine, entry)  # type: ignore[arg-type]
    with pytest.raises(Refusal) as refused:
        subscribers.enter(listen({}), mine, entry)  # type: ignore[arg-type]
    assert refused.value.status == 429
    subscribers.enter(listen({}), other, entry)  # type: ignore[arg-type]
    acts[0]()
    subscribers.enter(listen({}), mine, entry)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"notifications": []},
        {"notifications": {"resourceSubscriptions": "x://1"}},
        {"notifications": {"resourceSubscriptions": [1]}},
        {"notifications": {"resourceSubscriptions": [f"x://{number}" for number in range(1001)]}},
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        subscriptions.wanted(b"1", params)
    assert refused.value.code == -32602


def test_an_endless_id_is_refused() -> None:
    """E71."""
    with pytest.raises(Refusal):
        subscriptions.wanted(b'"' + b"x" * 1023 + b'"', {"notifications": {}})


class Speaker:
    """A server that a session can be listened to at, once it is told to be ready."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def listen(self, session: Any, principal: Any, ready: Any) -> AsyncGenerator[bytes, None]:
        await self.open.wait()
        ready()
        yield json.dumps({"jsonrpc": "2.0", "method": TOOLS}).encode()
        await asyncio.Event().wait()


class Deaf:
    async def listen(self, session: Any, principal: Any, ready: Any) -> AsyncGenerator[bytes, None]:
        raise Refusal.unavailable("gone")
        yield b""


async def test_a_session_is_listened_to_when_every_server_is_that_can_be() -> None:
    """E31: calls wait for this, since a question asked before it is lost."""
    speaker, opened, closed = Speaker(), asyncio.Event(), asyncio.Event()
    entry: Any = SimpleNamespace(close=lambda outcome: closed.set())
    servers: Any = {"a": speaker, "b": Deaf()}
    session: Any = SimpleNamespace(id="s")
    principal: Any = SimpleNamespace(id="p")
    stream = listening.relay(Door("", servers, "__"), session, principal, entry, lambda *_: None, opened.set)
    assert await anext(stream) == b""
    for _ in range(20):
        await asyncio.sleep(0)
    assert not opened.is_set()
    speaker.open.set()
    assert json.loads(await anext(stream))["method"] == TOOLS
    assert opened.is_set()
    await stream.aclose()
    assert closed.is_set()
