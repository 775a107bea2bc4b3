"""A stateless server answers `input_required`; a client with a session is asked within its call."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from crossing_desk import Desk, serving
from crossing_gateway import Gateway, Person, running
from mcp import MCPError
from msgspec import Raw

from toolgate.errors import Refusal
from toolgate.protocol import to_stateless
from toolgate.upstreams.questions import Questions

pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk("stateless")


@pytest.fixture(scope="module")
def gateway(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(desk) as port:
        servers = f"  desk: {{url: 'http://127.0.0.1:{port}/mcp'}}"
        with running(tmp_path_factory.mktemp("gateway"), servers) as gateway:
            yield gateway


NAME = {"action": "accept", "content": {"name": "Ann"}}
THOUGHT = {"role": "assistant", "content": {"type": "text", "text": "Ann thinks"}, "model": "m"}


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        ("ask_name", [NAME]),
        ("think", [THOUGHT]),
        ("roots", [{"roots": [{"uri": "file:///Ann"}]}]),
        ("ask_page", [{"action": "accept"}]),
        ("ask_twice", [NAME, NAME]),
        ("ask_all", [NAME, THOUGHT]),
        ("wait_a_round", ["nothing"]),
    ],
)
async def test_the_official_client_is_asked_and_its_answers_arrive(
    gateway: Gateway, desk: Desk, tool: str, said: list[Any]
) -> None:
    """20.5: each round is requests within the one call of the client."""
    desk.done.clear()
    desk.seen.clear()
    person = Person()
    async with gateway.client("legacy", **person.callbacks) as client:
        result = await client.call_tool(tool, {})
    assert json.loads(result.content[0].text) == said  # type: ignore[union-attr]
    assert desk.done == [tool] * desk.methods().count("tools/call")
    if tool == "ask_page":
        assert person.asked[0].url == "https://example.com/login?a=%20b"
        assert person.asked[0].elicitation_id


def test_each_round_brings_the_state_back_as_it_was_and_only_its_own_answers(
    gateway: Gateway, desk: Desk
) -> None:
    """10: what is opaque to us keeps its bytes; answers do not pile up."""
    desk.seen.clear()

    async def call() -> None:
        async with gateway.client("legacy", **Person().callbacks) as client:
            await client.call_tool("ask_twice", {})

    import asyncio

    asyncio.run(call())
    sent = [one["message"] for one in desk.seen if one["message"].get("method") == "tools/call"]
    answers = [set(one["params"].get("inputResponses", {})) for one in sent]
    assert answers == [set(), {"first"}, {"second"}]
    assert len({one["id"] for one in sent}) == 3
    assert [one["params"]["name"] for one in sent] == ["ask_twice"] * 3


async def test_a_prompt_may_ask_too(gateway: Gateway) -> None:
    """20.5."""
    async with gateway.client("legacy", **Person().callbacks) as client:
        prompt = await client.get_prompt("ask_prompt", {})
        assert prompt.messages[0].content.text == "Hello Ann"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("tool", "declared", "revision"),
    [
        ("think", {"elicitation": {}}, "2025-11-25"),
        ("ask_page", {"elicitation": {}}, "2025-11-25"),
        ("ask_page", {"elicitation": {"url": {}}}, "2025-06-18"),
        ("ask_name", {"elicitation": {}}, "2025-03-26"),
        ("ask_all", {"elicitation": {}}, "2025-11-25"),
    ],
)
def test_a_client_that_cannot_be_asked_gets_a_plain_no(
    gateway: Gateway, desk: Desk, tool: str, declared: dict[str, Any], revision: str
) -> None:
    """E67, 20.5, 20.8: an error of the tool that a model can read, and nothing that hangs."""
    desk.seen.clear()
    session, _ = gateway.session(capabilities=declared, revision=revision)
    status, (answer,) = gateway.legacy("tools/call", {"name": tool, "arguments": {}}, session=session)
    assert (status, answer["result"]["isError"]) == (200, True)
    assert desk.methods().count("tools/call") == 1


def test_a_prompt_that_cannot_ask_is_an_error(gateway: Gateway) -> None:
    """20.5."""
    session, _ = gateway.session()
    answer = gateway.legacy("prompts/get", {"name": "ask_prompt", "arguments": {}}, session=session)[1][0]
    assert answer["error"]["code"] == -32603


async def test_a_server_that_never_has_enough_is_stopped(gateway: Gateway, desk: Desk) -> None:
    """E70."""
    desk.done.clear()
    async with gateway.client("legacy", **Person().callbacks) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("ask_on", {})
    assert caught.value.error.code == -32603
    assert desk.done == ["ask_on"] * 10


async def test_an_answer_of_another_session_answers_nothing() -> None:
    """E06."""
    questions = Questions()
    number, request = questions.ask("one", Raw(b'{"method":"roots/list"}'))
    assert json.loads(request)["id"] == int(number)
    said = b'{"jsonrpc":"2.0","id":%b,"result":{"roots":[]}}' % number
    assert not questions.answer("two", said)
    assert questions.answer("one", said)
    assert (await questions.answered("one", number))["result"] == Raw(b'{"roots":[]}')
    questions.forget("one", number)
    assert len(questions) == 0


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("completion/complete", b'{"inputRequests":{"a":{"method":"roots/list"}}}'),
        ("tools/call", b"{}"),
        ("tools/call", b'{"inputRequests":{}}'),
        ("tools/call", b'{"inputRequests":[]}'),
    ],
)
def test_questions_that_may_not_be_asked_are_a_fault_of_the_server(method: str, result: bytes) -> None:
    """E68."""
    with pytest.raises(Refusal) as caught:
        to_stateless.asked(Raw(result), method)
    assert caught.value.kind == "upstream_invalid"


def test_a_kind_of_result_nobody_agreed_to_is_never_passed_as_complete() -> None:
    """E69."""
    with pytest.raises(Refusal) as caught:
        to_stateless.result_type(Raw(b'{"resultType":"task"}'))
    assert caught.value.code == -32603
    assert to_stateless.result_type(Raw(b"{}")) == "complete"
