"""News that belong to no call reach whoever asked for them, whichever kind of protocol is on the other side."""

import http.client
import json
import queue
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from crossing_desk import Desk, serving
from crossing_gateway import KEYS, META, MODERN, Gateway, running

pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")

ID_KEY = "io.modelcontextprotocol/subscriptionId"


@pytest.fixture(scope="module")
def old() -> Desk:
    return Desk("sessions")


@pytest.fixture(scope="module")
def new() -> Desk:
    return Desk("stateless")


@pytest.fixture(scope="module")
def gateway(old: Desk, new: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(old) as old_port, serving(new) as new_port:
        servers = (
            f"  old: {{url: 'http://127.0.0.1:{old_port}/mcp'}}\n"
            f"  new: {{url: 'http://127.0.0.1:{new_port}/mcp'}}"
        )
        with running(tmp_path_factory.mktemp("gateway"), servers) as gateway:
            yield gateway


class Stream:
    """An open stream of the gateway, read in a thread."""

    def __init__(
        self, gateway: Gateway, method: str, door: str, body: bytes, headers: dict[str, str]
    ) -> None:
        self._messages: queue.Queue[dict[str, Any]] = queue.Queue()
        self._connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        path = gateway.url(door).partition(str(gateway.port))[2]
        common = {"Authorization": f"Bearer {KEYS['ann']}", "Accept": "application/json, text/event-stream"}
        self._connection.request(method, path, body, {**common, **headers})
        self._sock = self._connection.sock
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while line := self._answer.readline():
                if line.startswith(b"data: {"):
                    self._messages.put(json.loads(line[5:]))
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            """Closed by the test."""

    def next(self) -> dict[str, Any]:
        return self._messages.get(timeout=20)

    def until(self, method: str) -> dict[str, Any]:
        """The next message of this method."""
        while (message := self.next())["method"] != method:
            pass
        return message

    def close(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)
        self._reader.join(20)
        self._answer.close()
        self._connection.close()
        self._sock.close()


def listening(gateway: Gateway, door: str, wanted: dict[str, Any], number: Any = 1) -> Stream:
    """A stateless client that listens."""
    params = {"notifications": wanted, "_meta": META}
    body = {"jsonrpc": "2.0", "id": number, "method": "subscriptions/listen", "params": params}
    headers = {
        "Content-Type": "application/json",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "subscriptions/listen",
    }
    return Stream(gateway, "POST", door, json.dumps(body).encode(), headers)


def test_a_stateless_client_hears_of_changes_at_a_server_with_sessions(gateway: Gateway, old: Desk) -> None:
    """E72, 20.1: one stream at the server for all who listen, each told what it asked for."""
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["desk://bell"]}
    stream = listening(gateway, "old", wanted, "s-1")
    lists = listening(gateway, "old", {"toolsListChanged": True, "promptsListChanged": True}, 2)
    first = stream.next()
    assert first["method"] == "notifications/subscriptions/acknowledged"
    assert first["params"]["notifications"] == wanted
    assert first["params"]["_meta"][ID_KEY] == "s-1"
    assert lists.next()["params"]["_meta"][ID_KEY] == 2
    assert old.subscribed == ["desk://bell"]
    gateway.modern("tools/call", {"name": "ring", "arguments": {}}, door="old")
    assert stream.until("notifications/tools/list_changed")["params"]["_meta"][ID_KEY] == "s-1"
    assert stream.until("notifications/resources/updated")["params"]["uri"] == "desk://bell"
    assert lists.until("notifications/tools/list_changed")["params"]["_meta"][ID_KEY] == 2
    stream.close()
    lists.close()


def test_a_resource_is_followed_at_the_server_as_long_as_anybody_follows_it(
    gateway: Gateway, old: Desk
) -> None:
    """20.1: subscriptions are counted, since the session at the server is one."""
    old.seen.clear()
    wanted = {"resourceSubscriptions": ["desk://drawer/1"]}
    streams = [listening(gateway, "old", wanted, number) for number in (1, 2)]
    for stream in streams:
        stream.next()
    assert old.subscribed.count("desk://drawer/1") == 1
    streams[0].close()
    streams[1].close()
    deadline = threading.Event()
    for _ in range(2000):
        if "desk://drawer/1" not in old.subscribed:
            break
        deadline.wait(0.01)
    assert "desk://drawer/1" not in old.subscribed
    assert old.methods().count("resources/subscribe") == 1


def test_what_a_server_does_not_offer_is_not_acknowledged(gateway: Gateway) -> None:
    """E72: behind the shared door each server is asked for what it has."""
    stream = listening(
        gateway, "", {"toolsListChanged": True, "resourceSubscriptions": ["old+desk://bell", "x://y"]}
    )
    agreed = stream.next()["params"]["notifications"]
    assert agreed == {"toolsListChanged": True, "resourceSubscriptions": ["old+desk://bell"]}
    gateway.modern("tools/call", {"name": "old__ring", "arguments": {}}, door="")
    assert stream.until("notifications/resources/updated")["params"]["uri"] == "old+desk://bell"
    stream.close()


@pytest.mark.parametrize("forgets", [False, True])
def test_a_broken_stream_is_taken_up_again(gateway: Gateway, old: Desk, forgets: bool) -> None:
    """E72: what may have happened meanwhile is told as a change, also by a server that forgot the session."""
    old.sessions.clear()
    gateway.modern("tools/call", {"name": "add", "arguments": {"a": 1, "b": 1}}, door="old")
    stream = listening(gateway, "old", {"toolsListChanged": True, "resourceSubscriptions": ["desk://bell"]})
    stream.next()
    if forgets:
        old.forgotten |= old.sessions
    old.close_streams()
    assert stream.until("notifications/tools/list_changed")
    assert stream.until("notifications/resources/updated")["params"]["uri"] == "desk://bell"
    gateway.modern("tools/call", {"name": "ring", "arguments": {}}, door="old")
    assert stream.until("notifications/tools/list_changed")
    stream.close()


@pytest.mark.parametrize(("kind", "server"), [("modern", "old"), ("legacy", "new")])
@pytest.mark.parametrize("shared", [False, True])
def test_the_page_of_an_app_is_found_and_read_across_kinds(
    gateway: Gateway, kind: str, server: str, shared: bool
) -> None:
    """14: the scheme stays, and nothing of `_meta` is lost."""
    door, page = ("", f"ui://{server}/desk/bell") if shared else (server, "ui://desk/bell")
    more = {"session": gateway.session(door=door)[0]} if kind == "legacy" else {}
    ask = getattr(gateway, kind)
    listed = ask("tools/list", {}, door=door, **more)[1][-1]["result"]["tools"]
    (tool,) = [one for one in listed if one["name"] in ("show", f"{server}__show")]
    assert tool["_meta"]["ui"] == {"resourceUri": page, "visibility": ["model", "app"]}
    (content,) = ask("resources/read", {"uri": page}, door=door, **more)[1][-1]["result"]["contents"]
    assert (content["uri"], content["mimeType"]) == (page, "text/html;profile=mcp-app")
    assert content["_meta"] == {"ui": {"prefersBorder": True}}


def followed(gateway: Gateway, door: str, *uris: str) -> tuple[str, Stream]:
    """A client with a session that follows resources and listens."""
    session, _ = gateway.session(door=door)
    for uri in uris:
        answer = gateway.legacy("resources/subscribe", {"uri": uri}, session=session, door=door)[1][0]
        assert answer["result"] == {}
    return session, Stream(gateway, "GET", door, b"", {"Mcp-Session-Id": session})


def rung(gateway: Gateway, new: Desk, stream: Stream) -> list[dict[str, Any]]:
    """Ring until the stream, which says nothing when it opens, tells of it."""
    told: list[dict[str, Any]] = []
    while len(told) < 2:
        gateway.modern("tools/call", {"name": "ring", "arguments": {}}, door="new")
        try:
            told.append(stream._messages.get(timeout=0.5))
            told.append(stream.next())
        except queue.Empty:
            continue
    return told


def test_a_client_with_a_session_hears_of_changes_at_a_stateless_server(gateway: Gateway, new: Desk) -> None:
    """20.5: the news have nothing of the other kind in them."""
    _, stream = followed(gateway, "new", "desk://bell")
    told = rung(gateway, new, stream)
    assert {one["method"] for one in told} == {
        "notifications/tools/list_changed",
        "notifications/resources/updated",
    }
    assert ID_KEY not in json.dumps(told)
    assert [one["message"] for one in new.seen if one["message"].get("method") == "resources/subscribe"] == []
    stream.close()


def test_a_wish_that_comes_while_the_client_listens_is_heard(gateway: Gateway, new: Desk) -> None:
    """20.5: the stream at the server is opened anew with all wishes, before the old one is let go."""
    session, stream = followed(gateway, "new")
    new.seen.clear()
    gateway.legacy("resources/subscribe", {"uri": "desk://bell"}, session=session, door="new")
    told = rung(gateway, new, stream)
    while not any(one["method"] == "notifications/resources/updated" for one in told):
        told = rung(gateway, new, stream)
    listens = [one["message"] for one in new.seen if one["message"].get("method") == "subscriptions/listen"]
    assert listens[-1]["params"]["notifications"]["resourceSubscriptions"] == ["desk://bell"]
    stream.close()


def test_a_resource_that_the_caller_may_not_read_is_followed_on_neither_side(gateway: Gateway) -> None:
    """E72: a crossing weakens no policy."""
    stream = listening(gateway, "old", {"toolsListChanged": True, "resourceSubscriptions": ["secret://x"]})
    assert stream.next()["params"]["notifications"] == {"toolsListChanged": True}
    stream.close()
    session, _ = gateway.session(door="new")
    answer = gateway.legacy("resources/subscribe", {"uri": "secret://x"}, session=session, door="new")[1][0]
    assert answer["error"]["code"] == -32602
