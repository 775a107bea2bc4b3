"""Calls to servers on stdin and stdout: who gets which message, and how a call ends."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from stdio_support import ALICE, BOB, call, messages, outbound, request, session, until, within_bounds

from toolgate.errors import Refusal
from toolgate.model import Session
from toolgate.upstreams.stdio import Stdio

Open = Callable[..., Stdio]


async def heard(upstream: Stdio) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await call(upstream, "heard")
    return found


async def test_the_gateway_shakes_hands_on_behalf_of_the_client(open_stdio: Open) -> None:
    upstream = open_stdio("echo")
    opened = await within_bounds(upstream.initialize(session(revision="2025-06-18"), ALICE))
    result = json.loads(opened.result)
    assert result["serverInfo"] == {"name": "child"}
    assert result["unknown"] == 2**70
    number = await within_bounds(upstream.exchange(request("heard", within=session(revision="2025-06-18"))))
    first, second = json.loads(number.message)["result"]
    assert first["params"] == {
        "protocolVersion": "2025-06-18",
        "capabilities": {"elicitation": {}},
        "clientInfo": {"name": "tests", "version": "1"},
    }
    assert second["method"] == "notifications/initialized"


async def test_a_session_of_a_newer_revision_is_opened_in_the_newest_with_handshake(open_stdio: Open) -> None:
    upstream = open_stdio("echo")
    newer = session(revision="2026-07-28")
    reply = await within_bounds(upstream.exchange(request("heard", within=newer)))
    assert json.loads(reply.message)["result"][0]["params"]["protocolVersion"] == "2025-11-25"


async def test_a_stateless_client_is_refused_because_there_is_nobody_to_shake_hands_for(
    open_stdio: Open,
) -> None:
    out = request("echo")
    out.session = None
    with pytest.raises(Refusal, match="sessions"):
        await within_bounds(open_stdio("echo").exchange(out))


async def test_an_answer_arrives_byte_for_byte(open_stdio: Open) -> None:
    """E10, E11."""
    out = request("raw")
    result = '{"big":123456789012345678901234567890,"cut":"\\ud83d"}'
    line = f'{{ "id":{out.id},"x":1.10,  "result":{result} }}'
    out.message = json.dumps({"id": out.id, "method": "raw", "params": {"line": line}}).encode()
    reply = await within_bounds(open_stdio("echo").exchange(out))
    assert reply.message == line.encode()


async def test_answers_in_any_order_reach_their_callers(open_stdio: Open) -> None:
    """E01, I5."""
    upstream = open_stdio("echo")
    replies = await asyncio.gather(*(call(upstream, "echo", n=n) for n in range(200)))
    assert [reply["n"] for reply in replies] == list(range(200))


async def test_a_later_call_may_be_answered_first(open_stdio: Open) -> None:
    upstream = open_stdio("echo")
    held = request("hold")
    waiting = asyncio.create_task(upstream.exchange(held))
    await asyncio.sleep(0)
    await call(upstream, "release", id=held.id)
    reply = await within_bounds(waiting)
    assert json.loads(reply.message)["result"] == "late"


async def test_a_pretty_printed_request_stays_one_message(open_stdio: Open) -> None:
    upstream = open_stdio("echo")
    out = request("echo")
    out.message = b'{"id":%d,\n"method":"echo"\r\n,"params":{"a":1}}\n' % out.id
    reply = await within_bounds(upstream.exchange(out))
    assert json.loads(reply.message)["result"] == {"a": 1}


async def test_progress_makes_the_answer_a_stream_and_must_increase(open_stdio: Open) -> None:
    """E41."""
    upstream = open_stdio("echo")
    out = request("steps", params={"steps": [1, 2, 2, 1, 3]})
    found = await messages(await within_bounds(upstream.exchange(out)))
    assert [message["params"]["progress"] for message in found[:-1]] == [1, 2, 3]
    assert found[-1]["id"] == out.id


async def test_progress_of_nobody_is_dropped(open_stdio: Open) -> None:
    """E41: unsolicited progress belongs to no stream, and to no listener either."""
    upstream = open_stdio("echo")
    listener = upstream.listen(session(), ALICE)
    stray = json.dumps({"method": "notifications/progress", "params": {"progressToken": 0, "progress": 1}})
    out = request("raw")
    line = f'{stray}\n{{"id":{out.id},"result":{{}}}}'
    out.message = json.dumps({"id": out.id, "method": "raw", "params": {"line": line}}).encode()
    assert (await within_bounds(upstream.exchange(out))).message is not None
    await call(upstream, "announce", topics=["a"])
    assert json.loads(await within_bounds(anext(listener)))["params"] == {"uri": "a"}


async def test_closing_the_stream_cancels_the_call_and_swallows_its_late_answer(open_stdio: Open) -> None:
    """E42, E43."""
    upstream = open_stdio("echo")
    out = request("steps", params={"steps": [1], "end": False})
    reply = await within_bounds(upstream.exchange(out))
    assert reply.stream is not None
    await reply.stream.aclose()
    await call(upstream, "release", id=out.id)
    assert (await heard(upstream))[-2] == {
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": {"requestId": out.id, "reason": "The caller has gone."},
    }


async def test_a_caller_who_goes_away_cancels_the_call(open_stdio: Open) -> None:
    upstream = open_stdio("echo")
    await call(upstream, "pid")
    out = request("hold")
    waiting = asyncio.create_task(upstream.exchange(out))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await heard(upstream))[-1]["params"]["requestId"] == out.id


async def test_a_reader_who_is_cancelled_while_it_waits_cancels_the_call(open_stdio: Open) -> None:
    upstream = open_stdio("echo")
    out = request("steps", params={"steps": [1], "end": False})
    reply = await within_bounds(upstream.exchange(out))
    assert reply.stream is not None
    await anext(reply.stream)
    reading = asyncio.ensure_future(anext(reply.stream))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (await heard(upstream))[-1]["params"]["requestId"] == out.id


async def test_the_clients_own_cancellation_ends_the_call(open_stdio: Open) -> None:
    """E42: the server will not answer any more, so nobody may wait for it."""
    upstream = open_stdio("echo")
    await call(upstream, "pid")
    out = request("hold")
    waiting = asyncio.create_task(upstream.exchange(out))
    await asyncio.sleep(0)
    await upstream.send(cancellation(out.id))
    with pytest.raises(Refusal, match="cancelled"):
        await within_bounds(waiting)
    assert (await heard(upstream))[-1]["params"] == {"requestId": out.id}


async def test_a_cancellation_from_another_session_is_dropped(open_stdio: Open) -> None:
    """E42: only within the session."""
    upstream = open_stdio("echo")
    await call(upstream, "pid")
    out = request("hold")
    waiting = asyncio.create_task(upstream.exchange(out))
    await asyncio.sleep(0)
    await upstream.send(cancellation(out.id, session(name="s2")))
    await call(upstream, "release", id=out.id)
    assert json.loads((await within_bounds(waiting)).message)["result"] == "late"
    assert "notifications/cancelled" not in {message.get("method") for message in await heard(upstream)}


def cancellation(number: int | None, within: Session | None = None) -> Any:
    params = {"requestId": number}
    message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
    return outbound(json.dumps(message).encode(), within=within, method="notifications/cancelled")


async def test_a_silent_server_is_told_and_the_caller_gets_a_timeout(open_stdio: Open) -> None:
    """E44."""
    upstream = open_stdio("echo", call_seconds=0.4)
    await call(upstream, "pid")
    out = request("hold")
    with pytest.raises(Refusal, match="no answer in time") as caught:
        await within_bounds(upstream.exchange(out))
    assert caught.value.kind == "upstream_timeout"
    assert (await heard(upstream))[-1]["params"]["requestId"] == out.id


async def test_a_stream_nobody_reads_ends_by_its_deadline(open_stdio: Open) -> None:
    upstream = open_stdio("echo", call_seconds=0.4)
    out = request("steps", params={"steps": [1], "end": False})
    reply = await within_bounds(upstream.exchange(out))
    assert reply.stream is not None
    async with asyncio.timeout(5):
        while "notifications/cancelled" not in {message["method"] for message in await heard(upstream)}:
            pass
    await anext(reply.stream)
    with pytest.raises(Refusal, match="no answer in time"):
        await anext(reply.stream)


async def test_a_call_has_an_end_whatever_progress_it_reports(open_stdio: Open) -> None:
    """E44: a hard limit."""
    upstream = open_stdio("echo", total_seconds=0.1)
    out = request("steps", params={"steps": [1], "end": False})
    with pytest.raises(Refusal, match="no answer in time"):
        await messages(await within_bounds(upstream.exchange(out)))


async def test_a_server_that_does_not_read_is_sent_no_more_and_its_calls_fail(open_stdio: Open) -> None:
    upstream = open_stdio("deaf", call_seconds=0.2, stop_seconds=0.1)
    large = {"text": "x" * 500_000}
    calls = [upstream.exchange(request("echo", params=large)) for _ in range(8)]
    ends = await within_bounds(asyncio.gather(*calls, return_exceptions=True))
    assert {end.kind for end in ends} == {"upstream_timeout"}
    unread = [end for end in ends if "does not read" in end.reason]
    assert len(unread) >= 6


async def test_a_question_of_the_server_reaches_the_one_call_and_its_answer_the_server(
    open_stdio: Open,
) -> None:
    upstream = open_stdio("asks")
    reply = await within_bounds(upstream.exchange(request("ask", params={"what": "elicitation/create"})))
    assert reply.stream is not None
    question = json.loads(await within_bounds(anext(reply.stream)))
    assert (question["id"], question["method"]) == ("question", "elicitation/create")
    await upstream.send(outbound(b'{"jsonrpc":"2.0","id":"question","result":{"action":"accept"}}'))
    (answer,) = await messages(reply)
    assert answer["result"] == {"result": {"action": "accept"}}


async def test_a_question_gives_the_client_more_time_than_a_silent_server_has(open_stdio: Open) -> None:
    upstream = open_stdio("asks", call_seconds=0.3)
    reply = await within_bounds(upstream.exchange(request("ask", params={"what": "elicitation/create"})))
    assert reply.stream is not None
    await anext(reply.stream)
    await asyncio.sleep(0.5)
    await upstream.send(outbound(b'{"jsonrpc":"2.0","id":"question","result":{"action":"accept"}}'))
    (answer,) = await messages(reply)
    assert answer["result"] == {"result": {"action": "accept"}}


async def test_an_answer_from_another_session_does_not_reach_the_server(open_stdio: Open) -> None:
    """E06."""
    upstream = open_stdio("asks")
    reply = await within_bounds(upstream.exchange(request("ask", params={"what": "elicitation/create"})))
    assert reply.stream is not None
    await anext(reply.stream)
    forged = b'{"jsonrpc":"2.0","id":"question","result":{"action":"accept","forged":true}}'
    await upstream.send(outbound(forged, within=session(name="s2")))
    await upstream.send(outbound(b'{"jsonrpc":"2.0","id":"question","result":{"action":"decline"}}'))
    (answer,) = await messages(reply)
    assert answer["result"] == {"result": {"action": "decline"}}


async def test_an_answer_to_what_was_never_asked_is_dropped(open_stdio: Open) -> None:
    upstream = open_stdio("asks")
    await call(upstream, "pid")
    await upstream.send(outbound(b'{"jsonrpc":"2.0","id":"question","result":{}}'))
    assert await call(upstream, "answers") == []


async def test_a_ping_is_answered_here(open_stdio: Open) -> None:
    """E45."""
    assert await call(open_stdio("asks"), "ask", what="ping") == {"result": {}}


async def test_a_question_the_client_cannot_answer_is_refused_here(open_stdio: Open) -> None:
    """E67."""
    answer = await call(open_stdio("asks"), "ask", what="sampling/createMessage")
    assert answer["error"]["code"] == -32601


async def test_a_question_is_refused_where_two_calls_could_be_meant(open_stdio: Open) -> None:
    """E31."""
    upstream = open_stdio("asks")
    await call(upstream, "pid")
    other = asyncio.create_task(upstream.exchange(request("hold")))
    await asyncio.sleep(0)
    answer = await call(upstream, "ask", what="elicitation/create")
    assert answer["error"]["code"] == -32603
    other.cancel()
    with pytest.raises(asyncio.CancelledError):
        await other


async def test_a_question_whose_call_ends_is_answered_with_an_error(open_stdio: Open) -> None:
    upstream = open_stdio("asks")
    reply = await within_bounds(upstream.exchange(request("ask", params={"what": "elicitation/create"})))
    assert reply.stream is not None
    await reply.stream.aclose()
    (answer,) = await call(upstream, "answers")
    assert (answer["id"], answer["error"]["code"]) == ("question", -32603)


async def test_a_question_the_server_takes_back_reaches_the_same_call(open_stdio: Open) -> None:
    found = await messages(await within_bounds(open_stdio("asks").exchange(request("withdraw"))))
    assert [message.get("method") for message in found] == [
        "elicitation/create",
        "notifications/cancelled",
        None,
    ]


async def test_notifications_of_no_call_go_to_every_listening_session_of_the_principal(
    open_stdio: Open,
) -> None:
    upstream = open_stdio("echo")
    one = upstream.listen(session(), ALICE)
    two = upstream.listen(session(name="s2"), ALICE)
    foreign = upstream.listen(session(BOB), BOB)
    await call(upstream, "announce", topics=["a", "b"])
    await call(upstream, "announce", BOB, topics=["c"])
    for listener, topics in ((one, ["a", "b"]), (two, ["a", "b"]), (foreign, ["c"])):
        found = [json.loads(await within_bounds(anext(listener))) for _ in topics]
        assert [message["params"]["uri"] for message in found] == topics


async def test_a_second_listener_of_a_session_takes_the_place_of_the_first(open_stdio: Open) -> None:
    """E30."""
    upstream = open_stdio("echo")
    first = upstream.listen(session(), ALICE)
    second = upstream.listen(session(), ALICE)
    assert [message async for message in first] == []
    await call(upstream, "announce", topics=["a"])
    assert b'"a"' in await within_bounds(anext(second))


async def test_forgetting_a_session_ends_its_listener_and_keeps_the_child(open_stdio: Open) -> None:
    upstream = open_stdio("echo")
    listener = upstream.listen(session(), ALICE)
    before = await call(upstream, "pid")
    await upstream.forget(session(), ALICE)
    assert [message async for message in listener] == []
    assert await call(upstream, "pid") == before


async def test_a_listener_who_does_not_read_loses_the_oldest_and_blocks_nobody(open_stdio: Open) -> None:
    """E38."""
    upstream = open_stdio("floods")
    listener = upstream.listen(session(), ALICE)
    assert await call(upstream, "notifications", count=5000) == "done"
    await upstream.forget(session(), ALICE)
    kept = [json.loads(message)["params"]["data"] async for message in listener]
    assert kept == list(range(5000 - 256, 5000))


async def test_a_caller_who_does_not_read_loses_progress_and_never_the_answer(open_stdio: Open) -> None:
    """E38."""
    upstream = open_stdio("floods")
    reply = await within_bounds(upstream.exchange(request("progress", params={"count": 5000})))
    await call(upstream, "pid")
    found = await messages(reply)
    assert len(found) <= 256
    assert found[-1]["result"] == "done"


async def test_the_clients_notifications_reach_the_child_except_the_one_already_sent(
    open_stdio: Open,
) -> None:
    upstream = open_stdio("echo")
    await call(upstream, "pid")
    for method in ("notifications/initialized", "notifications/roots/list_changed"):
        await upstream.send(outbound(b'{"jsonrpc":"2.0","method":"%s"}' % method.encode(), method=method))
    methods = [message["method"] for message in await heard(upstream)]
    assert methods.count("notifications/initialized") == 1
    assert methods[-1] == "notifications/roots/list_changed"


async def test_sending_starts_no_child(open_stdio: Open) -> None:
    upstream = open_stdio("does-not-exist")
    await upstream.send(outbound(b'{"jsonrpc":"2.0","method":"notifications/x"}'))


async def test_junk_on_stdout_is_skipped_and_logged_within_bounds(
    open_stdio: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """E83."""
    upstream = open_stdio("junk")
    for _ in range(30):
        assert await call(upstream, "anything") == "clean"
    logged = [record for record in caplog.records if record.levelname == "WARNING"]
    assert logged[0].name == "toolgate.upstream.tool"
    assert len(logged) < 12
    assert all(len(record.getMessage()) < 500 for record in logged)


async def test_an_answer_in_another_encoding_is_refused_at_once(open_stdio: Open) -> None:
    """E09."""
    out = request("raw")
    line = f'{{"id":{out.id},"result":"\xff"}}'
    out.message = json.dumps({"id": out.id, "method": "raw", "params": {"line": line}}).encode()
    with pytest.raises(Refusal, match="cannot be read"):
        await within_bounds(open_stdio("echo").exchange(out))


async def test_stderr_is_logged_line_by_line_with_its_length_capped(
    open_stdio: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "toolgate.upstream.tool")
    assert await call(open_stdio("floods"), "stderr") == "done"
    await until(lambda: len(caplog.records) == 400)
    assert {record.getMessage() for record in caplog.records} == {"x" * 1000}


async def test_a_real_server_on_the_official_sdk_is_served(open_stdio: Open) -> None:
    upstream = open_stdio("official", start_seconds=20.0)
    async with asyncio.timeout(20):
        opened = await upstream.initialize(session(), ALICE)
    assert json.loads(opened.result)["serverInfo"]["name"] == "official"
    assert [tool["name"] for tool in (await call(upstream, "tools/list"))["tools"]] == ["add"]
    result = await call(upstream, "tools/call", name="add", arguments={"a": 2, "b": 3})
    assert result["structuredContent"] == {"result": 5}
