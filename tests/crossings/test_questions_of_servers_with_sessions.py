"""A server with sessions asks its client within a call; a stateless client is asked by `input_required`."""

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crossing_desk import Desk, serving
from crossing_gateway import META, MODERN, Gateway, Person, running

from toolgate.model import Principal
from toolgate.ports import Outbound
from toolgate.upstreams.crossing import Crossing
from toolgate.upstreams.held import HeldCalls
from toolgate.upstreams.http_client import HttpClient
from toolgate.upstreams.http_server import HttpServer

pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")

ALL = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
ANN = {"elicitation-0": {"action": "accept", "content": {"name": "Ann"}}}


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk("sessions")


@pytest.fixture(scope="module")
def gateway(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(desk) as port:
        child = Path(__file__).parent / "crossing_child.py"
        servers = (
            f"  desk: {{url: 'http://127.0.0.1:{port}/mcp'}}\n"
            f"  child: {{command: '{sys.executable}', args: ['{child}']}}"
        )
        with running(tmp_path_factory.mktemp("gateway"), servers) as gateway:
            yield gateway


@pytest.mark.parametrize(
    ("tool", "text"),
    [
        ("ask_name", "Ann"),
        ("ask_page", "accept"),
        ("think", "Ann thinks"),
        ("roots", "['file:///Ann']"),
        ("ask_twice", "Ann Ann"),
        ("ask_all", "Ann Ann thinks"),
    ],
)
async def test_the_official_client_is_asked_and_its_answers_arrive(
    gateway: Gateway, tool: str, text: str
) -> None:
    """20.2: form, page, model and roots, in one round and in several; each call ran once."""
    async with gateway.client(MODERN, **Person().callbacks) as client:
        result = await client.call_tool(tool, {})
        assert result.content[0].text == text  # type: ignore[union-attr]


async def test_a_server_on_stdio_asks_too(gateway: Gateway) -> None:
    """20.2."""
    async with gateway.client(MODERN, door="child", **Person().callbacks) as client:
        assert (await client.call_tool("ask_name", {})).content[0].text == "Ann"  # type: ignore[union-attr]


async def test_a_prompt_may_ask_too(gateway: Gateway) -> None:
    """20.2."""
    async with gateway.client(MODERN, **Person().callbacks) as client:
        assert (await client.get_prompt("ask_prompt", {})).messages[0].content.text == "Hello Ann"  # type: ignore[union-attr]


async def test_a_page_is_asked_for_with_its_whole_address_and_nothing_of_the_other_kind(
    gateway: Gateway,
) -> None:
    """E74: the address is the server's, byte for byte; the id that only sessions have is left out."""
    asked = ask(gateway, "ask_page")["result"]["inputRequests"]["elicitation-0"]
    assert asked["method"] == "elicitation/create"
    assert asked["params"] == {"mode": "url", "message": "Log in", "url": "https://example.com/login?a=%20b"}


def ask(gateway: Gateway, tool: str, arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The last message of a first round."""
    call = {"name": tool, "arguments": arguments or {}}
    return gateway.modern("tools/call", call, **{"capabilities": ALL, **more})[1][-1]


def again(gateway: Gateway, tool: str, state: str, answers: Any, **more: Any) -> tuple[int, dict[str, Any]]:
    """Status and last message of a further round."""
    arguments = more.pop("arguments", {})
    call = {"name": tool, "arguments": arguments, "inputResponses": answers, "requestState": state}
    status, messages = gateway.modern("tools/call", call, **{"capabilities": ALL, **more})
    return status, messages[-1]


def test_one_call_of_the_client_is_one_call_at_the_server(gateway: Gateway, desk: Desk) -> None:
    """20.2: the call stays open at the server between the rounds."""
    desk.done.clear()
    desk.seen.clear()
    first = ask(gateway, "ask_name")["result"]
    assert first["resultType"] == "input_required"
    asked = first["inputRequests"]["elicitation-0"]
    assert (asked["method"], asked["params"]["message"]) == ("elicitation/create", "Who?")
    status, answer = again(gateway, "ask_name", first["requestState"], ANN)
    assert (status, answer["result"]["content"][0]["text"]) == (200, "Ann")
    assert desk.done == ["ask_name"]
    assert desk.methods().count("tools/call") == 1
    assert "notifications/cancelled" not in desk.methods()
    assert not {"inputResponses", "requestState"} & set(json.dumps(desk.seen[-1]["message"]))


def test_progress_goes_on_in_the_next_round_under_its_token(gateway: Gateway) -> None:
    """20.2, E41: the token may change with every round, the value only grows."""
    call = {"name": "ask_name", "arguments": {}}
    first = gateway.modern("tools/call", call, capabilities=ALL, meta={"progressToken": "one"})[1]
    assert [one["params"]["progress"] for one in first[:-1]] == [1]
    more = {**call, "inputResponses": ANN, "requestState": first[-1]["result"]["requestState"]}
    second = gateway.modern("tools/call", more, capabilities=ALL, meta={"progressToken": "two"}, number="b")[
        1
    ]
    assert [(one["params"]["progress"], one["params"]["progressToken"]) for one in second[:-1]] == [
        (2, "two")
    ]
    assert second[-1]["id"] == "b"


def test_a_state_opens_nothing_for_anybody_else_or_anything_else_or_twice(
    gateway: Gateway, desk: Desk
) -> None:
    """E65, E66: one answer for all of them, which says nothing of the reason."""
    desk.done.clear()
    state = ask(gateway, "ask_name", {"title": "Dr. "})["result"]["requestState"]
    same = {"arguments": {"title": "Dr. "}}
    middle = len(state) // 2
    changed = state[:middle] + ("A" if state[middle] != "A" else "B") + state[middle + 1 :]
    refused = [
        again(gateway, "ask_name", changed, ANN, **same),
        again(gateway, "ask_name", "", ANN, **same),
        again(gateway, "ask_name", "x" * 100_000, ANN, **same),
        again(gateway, "ask_name", state, ANN, key="bob", **same),
        again(gateway, "ask_twice", state, ANN, **same),
        again(gateway, "ask_name", state, ANN, arguments={"title": "Prof. "}),
    ]
    status, answer = again(gateway, "ask_name", state, ANN, **same)
    assert (status, answer["result"]["content"][0]["text"]) == (200, "Dr. Ann")
    refused.append(again(gateway, "ask_name", state, ANN, **same))
    assert {(status, answer["error"]["code"]) for status, answer in refused} == {(400, -32602)}
    assert len({answer["error"]["message"] for _, answer in refused}) == 1
    assert desk.done == ["ask_name"]


def test_missing_answers_are_asked_for_again_and_unknown_ones_ignored(gateway: Gateway) -> None:
    """10: a round is answered as far as it was."""
    first = ask(gateway, "ask_all")["result"]
    assert set(first["inputRequests"]) == {"elicitation-0", "sampling-0"}
    second = again(gateway, "ask_all", first["requestState"], {**ANN, "nobody-7": {}})[1]["result"]
    assert set(second["inputRequests"]) == {"sampling-0"}
    thought = {"role": "assistant", "model": "m", "content": {"type": "text", "text": "so"}}
    answer = again(gateway, "ask_all", second["requestState"], {"sampling-0": thought})[1]
    assert answer["result"]["content"][0]["text"] == "Ann so"


@pytest.mark.parametrize("answers", [[], {"elicitation-0": 1}, {"elicitation-0": {"action": "maybe"}}])
def test_an_answer_that_is_none_is_refused_and_may_be_mended(gateway: Gateway, answers: Any) -> None:
    """10: malformed answers are an error, and the call goes on waiting."""
    state = ask(gateway, "ask_name")["result"]["requestState"]
    status, answer = again(gateway, "ask_name", state, answers)
    assert (status, answer["error"]["code"]) == (400, -32602)
    assert again(gateway, "ask_name", state, ANN)[1]["result"]["content"][0]["text"] == "Ann"


@pytest.mark.parametrize(
    ("tool", "declared", "needed"),
    [
        ("think", {"elicitation": {}}, {"sampling": {}}),
        ("ask_page", {"elicitation": {}}, {"elicitation": {"url": {}}}),
        ("think", {}, {"sampling": {}}),
        ("need_page", {"elicitation": {}}, {"elicitation": {"url": {}}}),
    ],
)
def test_what_the_client_did_not_declare_is_not_asked(
    gateway: Gateway, desk: Desk, tool: str, declared: dict[str, Any], needed: dict[str, Any]
) -> None:
    """E67: the call ends with the capability that it needs."""
    desk.done.clear()
    status, (answer,) = gateway.modern("tools/call", {"name": tool, "arguments": {}}, capabilities=declared)
    assert (status, answer["error"]["code"]) == (400, -32021)
    assert answer["error"]["data"]["requiredCapabilities"] == needed


def test_an_error_that_wants_a_page_visited_first_becomes_a_question(gateway: Gateway, desk: Desk) -> None:
    """20.1: -32042 is never said to a client of 2026-07-28; the call is then made anew."""
    desk.done.clear()
    first = ask(gateway, "need_page")["result"]
    assert first["inputRequests"]["elicitation-0"]["params"]["url"] == "https://example.com/login"
    assert "requestState" not in first
    call = {"name": "need_page", "arguments": {}, "inputResponses": {"elicitation-0": {"action": "accept"}}}
    answer = gateway.modern("tools/call", call, capabilities=ALL)[1][-1]
    assert answer["result"]["content"][0]["text"] == "logged in"


def test_questions_that_name_no_call_reach_the_client_whose_call_it_is(gateway: Gateway) -> None:
    """E31: with two calls open at once, each has a session of its own at the server."""
    states = [ask(gateway, "roots")["result"] for _ in range(2)]
    states.append(ask(gateway, "roots", key="bob")["result"])
    keys = ("ann", "ann", "bob")
    for number, (state, key) in reversed(list(enumerate(zip(states, keys, strict=True)))):
        answers = {"roots-0": {"roots": [{"uri": f"file:///{number}"}]}}
        answer = again(gateway, "roots", state["requestState"], answers, key=key)[1]
        assert answer["result"]["content"][0]["text"] == f"['file:///{number}']"


def test_a_principal_may_keep_so_many_calls_waiting_and_no_more(gateway: Gateway, desk: Desk) -> None:
    """E70: held calls are bounded, and what is over the bound is cancelled at the server."""
    states = []
    desk.cancelled.clear()
    while len(states) < 40:
        answer = ask(gateway, "ask_name", key="bob")
        if "error" in answer:
            break
        states.append(answer["result"]["requestState"])
    assert answer["error"]["data"]["reason"] == "upstream_unavailable"
    assert len(states) == 16
    assert desk.cancelled.wait(20)
    assert "result" in ask(gateway, "ask_name")
    threads = [
        threading.Thread(target=again, args=(gateway, "ask_name", state, ANN), kwargs={"key": "bob"})
        for state in states
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert "result" in ask(gateway, "ask_name", key="bob")


def test_a_server_that_never_has_enough_is_stopped(gateway: Gateway) -> None:
    """E70."""
    answer = ask(gateway, "ask_on")
    rounds = 0
    while "result" in answer and rounds < 50:
        rounds += 1
        (key,) = answer["result"]["inputRequests"]
        answers = {key: ANN["elicitation-0"]}
        answer = again(gateway, "ask_on", answer["result"]["requestState"], answers)[1]
    assert (rounds, answer["error"]["data"]["reason"]) == (10, "upstream_invalid")


def test_each_round_meets_the_policy_and_is_recorded(gateway: Gateway) -> None:
    state = ask(gateway, "ask_name")["result"]["requestState"]
    again(gateway, "ask_name", state, ANN)
    rounds = [one for one in gateway.records() if one.get("target") == "ask_name"][-2:]
    assert [one["decision"] for one in rounds] == ["allow", "allow"]
    assert "Ann" not in json.dumps(rounds)


async def test_a_held_call_is_cancelled_at_the_server_when_its_time_is_over() -> None:
    """E42, E70: nothing stays behind of a client that vanished between two rounds."""
    desk = Desk("sessions")
    with serving(desk) as port:
        held = HeldCalls(seconds=0.05)
        server = Crossing(
            HttpServer("desk", f"http://127.0.0.1:{port}/mcp", HttpClient(), streams=HttpClient()), held
        )
        meta = {**META, "io.modelcontextprotocol/clientCapabilities": ALL}
        params = {"name": "ask_name", "arguments": {}, "_meta": meta}
        message = json.dumps({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": params}).encode()
        ann = Principal(id="ann", method="api_key")
        reply = await server.exchange(Outbound(message, "tools/call", MODERN, 5, "ask_name", ann, None))
        assert reply.message is not None
        assert b"input_required" in reply.message
        assert await asyncio.to_thread(desk.cancelled.wait, 20)
        assert len(held) == 0
        await server.aclose()
