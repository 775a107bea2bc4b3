"""Streams of clients with sessions: taken up where they were lost, by nobody else, within bounds."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_support import JSON, Running, bearer
from streaming_server import StreamingServer, streaming_server


@pytest.fixture(scope="module")
def server() -> Iterator[StreamingServer]:
    with streaming_server() as one:
        yield one


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, server: StreamingServer) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("streams")
    running = Running(folder, server.port)
    yield running
    running.stop()


opened: "list[Stream]" = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    for stream in opened:
        stream.close()
    opened.clear()


class Stream:
    """One open request and the events of its answer."""

    def __init__(
        self,
        gateway: Running,
        verb: str,
        session: str,
        body: bytes = b"",
        last: str = "",
        key: str = "teller",
    ) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
        headers = {**JSON, **bearer(key), "Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"}
        if last:
            headers["Last-Event-ID"] = last
        self._connection.request(verb, "/servers/bank/mcp", body, headers)
        self._answer: http.client.HTTPResponse | None = None
        opened.append(self)

    @property
    def answer(self) -> http.client.HTTPResponse:
        if self._answer is None:
            self._answer = self._connection.getresponse()
        return self._answer

    def event(self) -> dict[str, str]:
        """The next event; empty at the end of the stream."""
        fields: dict[str, str] = {}
        while line := self.answer.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        return fields

    def message(self) -> tuple[str, Any]:
        """Id and message of the next event that has one."""
        event = self.event()
        while event and not event.get("data"):
            event = self.event()
        return (event["id"], json.loads(event["data"])) if event else ("", None)

    def close(self) -> None:
        """The client vanishes."""
        if self._answer is not None:
            self._answer.close()
        self._connection.close()


def call(gateway: Running, session: str, number: int = 1) -> Stream:
    params = {"name": "slow", "arguments": {}, "_meta": {"progressToken": "p"}}
    body = json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).encode()
    return Stream(gateway, "POST", session, body)


def progress(message: Any, value: int) -> dict[str, Any]:
    token = message["params"]["_meta"]["progressToken"]
    return {"method": "notifications/progress", "params": {"progressToken": token, "progress": value}}


def announced(name: str) -> dict[str, Any]:
    return {"method": "notifications/message", "params": {"level": "info", "data": name}}


def said(message: Any) -> Any:
    return message["params"].get("progress") or message["params"].get("data")


def test_a_call_goes_on_without_its_client_and_is_replayed_from_where_it_was_lost(
    gateway: Running, server: StreamingServer
) -> None:
    """E33, E36, E38: the id of the last event says which stream and where."""
    session = gateway.initialize()
    stream = call(gateway, session, 7)
    message, says = server.calls.get(timeout=20)
    for value in (1, 2):
        says.put(progress(message, value))
    first, one = stream.message()
    assert said(one) == 1
    stream.close()
    for value in (3, 4):
        says.put(progress(message, value))
    resumed = Stream(gateway, "GET", session, last=first)
    assert [said(resumed.message()[1]) for _ in range(3)] == [2, 3, 4]
    says.put({"id": message["id"], "result": {"content": []}})
    last, answer = resumed.message()
    assert (answer["id"], answer["result"]) == (7, {"content": []})
    assert resumed.message() == ("", None)
    again = Stream(gateway, "GET", session, last=first)
    assert [again.message()[0] for _ in range(4)][-1] == last
    assert not any(sent.get("method") == "notifications/cancelled" for sent in server.notified)


def test_a_stream_begins_with_an_id_and_what_to_wait(gateway: Running, server: StreamingServer) -> None:
    """SEP-1699: a client that loses it before the first message can come back."""
    session = gateway.initialize()
    stream = call(gateway, session)
    message, says = server.calls.get(timeout=20)
    says.put(progress(message, 1))
    primed = stream.event()
    assert primed["data"] == ""
    assert int(primed["retry"]) > 0
    resumed = Stream(gateway, "GET", session, last=primed["id"])
    assert said(resumed.message()[1]) == 1
    says.put({"id": message["id"], "result": {}})
    assert resumed.message()[1]["result"] == {}
    stream.close()


@pytest.mark.parametrize("whose", ["another session", "another principal", "nobody"])
def test_an_id_of_somebody_else_replays_nothing(
    gateway: Running, server: StreamingServer, whose: str
) -> None:
    """E27, E33."""
    session = gateway.initialize()
    stream = call(gateway, session)
    message, says = server.calls.get(timeout=20)
    says.put(progress(message, 1))
    says.put({"id": message["id"], "result": {"secret": True}})
    last, _ = stream.message()
    if whose == "another principal":
        foreign = Stream(gateway, "GET", session, last=last, key="guest")
        assert foreign.answer.status == 404
        return
    other = gateway.initialize()
    foreign = Stream(gateway, "GET", other, last=last if whose == "another session" else "no-such-id")
    assert foreign.answer.status == 200
    listened = server.gets.get(timeout=20)
    listened.put(announced("own"))
    assert said(foreign.message()[1]) == "own"
    foreign.close()


def test_the_sessions_own_stream_is_taken_up_with_what_was_said_meanwhile(
    gateway: Running, server: StreamingServer
) -> None:
    """E33: the servers are listened to for a while after the connection is lost."""
    session = gateway.initialize()
    stream = Stream(gateway, "GET", session)
    assert stream.answer.status == 200
    says = server.gets.get(timeout=20)
    says.put(announced("one"))
    last, message = stream.message()
    assert said(message) == "one"
    stream.close()
    says.put(announced("two"))
    says.put(announced("three"))
    resumed = Stream(gateway, "GET", session, last=last)
    assert [said(resumed.message()[1]) for _ in range(2)] == ["two", "three"]
    assert server.gets.empty()
    resumed.close()


def test_a_client_that_comes_back_for_its_stream_gets_it_though_the_old_connection_looks_open(
    gateway: Running, server: StreamingServer
) -> None:
    """E30, E36: messages are never split over both."""
    session = gateway.initialize()
    old = Stream(gateway, "GET", session)
    says = server.gets.get(timeout=20)
    says.put(announced("one"))
    last, _ = old.message()
    new = Stream(gateway, "GET", session, last=last)
    assert new.answer.status == 200
    assert old.message() == ("", None)
    says.put(announced("two"))
    assert said(new.message()[1]) == "two"
    new.close()


def test_a_second_stream_of_a_session_is_refused_while_the_first_is_read(
    gateway: Running, server: StreamingServer
) -> None:
    """E30."""
    session = gateway.initialize()
    first = Stream(gateway, "GET", session)
    assert first.answer.status == 200
    server.gets.get(timeout=20)
    assert Stream(gateway, "GET", session).answer.status == 409
    first.close()


def test_the_end_of_a_session_ends_its_streams_and_what_is_kept_of_them(
    gateway: Running, server: StreamingServer
) -> None:
    """E37."""
    session = gateway.initialize()
    stream = Stream(gateway, "GET", session)
    says = server.gets.get(timeout=20)
    says.put(announced("one"))
    last, _ = stream.message()
    headers = {**bearer("teller"), "Mcp-Session-Id": session}
    assert gateway.send("DELETE", "/servers/bank/mcp", b"", headers)[0] == 204
    assert stream.message() == ("", None)
    assert Stream(gateway, "GET", session, last=last).answer.status == 404


def test_a_server_that_lets_go_of_a_call_is_polled_and_the_client_notices_nothing(
    gateway: Running, server: StreamingServer
) -> None:
    """E34: its `retry` is kept to, and the client's stream stays open."""
    session = gateway.initialize()
    stream = call(gateway, session)
    message, says = server.calls.get(timeout=20)
    says.put(progress(message, 1))
    assert said(stream.message()[1]) == 1
    says.put(b"id: theirs-1\nretry: 1\ndata: \n\n")
    says.put(None)
    polled = server.gets.get(timeout=20)
    assert server.last_ids[-1] == "theirs-1"
    polled.put(progress(message, 2))
    polled.put({"id": message["id"], "result": {}})
    second, later = stream.message()
    assert said(later) == 2
    assert "theirs" not in second
    assert stream.message()[1]["result"] == {}


def test_a_stream_that_ends_without_an_id_is_a_lost_answer(gateway: Running, server: StreamingServer) -> None:
    stream = call(gateway, gateway.initialize())
    message, says = server.calls.get(timeout=20)
    says.put(progress(message, 1))
    says.put(None)
    stream.message()
    assert stream.message()[1]["error"]["data"]["reason"] == "upstream_invalid"
    assert server.gets.empty()
