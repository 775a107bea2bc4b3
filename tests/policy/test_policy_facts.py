"""What conditions are given."""

from typing import Any

import pytest
from policy_support import ANALYST, NOBODY, NOON, call, policy_of, rule, session, tool

from toolgate.model import Call, Effect, Kind, Principal, Target, Task
from toolgate.policy.facts import CLIENT_INFO

TASK = Task("t-17", "monthly close", {"ledger": "eu"})
WORKING = Principal("p2", "jwt", task=TASK)


async def answer(when: str, by: Principal = ANALYST, given: Call | None = None, **kwargs: Any) -> Any:
    """True, False, or the failure, of a condition on a call of bank/read."""
    judge = policy_of(rule(when), **kwargs)
    decision = await judge.decide(by, tool("bank/read"), given or call({"amount": 3, "owner": None}))
    return decision.errors[0].partition(": ")[2] if decision.errors else decision.effect is Effect.ALLOW


@pytest.mark.parametrize(
    "when",
    [
        'agent == "reporter" && user == "ada" && tenant == "acme"',
        'caller.agent == "reporter" && has(caller.user)',
        '"staff" in roles && "mcp:tools" in scopes && "low-risk" in tags',
        'claims.department == "finance" && "b" in claims.groups && size(claims) == 2',
        "!has(task.id) && size(task) == 0",
        'tool.server == "bank" && tool.name == "read"',
        "!has(resource.uri) && !has(prompt.name)",
        "args.amount == 3 && size(args) == 2",
        'method == "tools/call"',
        'protocol.revision == "2026-07-28"',
        'environment.stage == "prod"',
        'now.hour == 12 && now.minute == 0 && now.weekday == 6 && now.date == "2026-11-21"',
        f"now.epoch == {NOON:.0f}",
        'now.timestamp == timestamp("2026-11-21T12:00:00Z")',
        'now.timestamp.getHours("Europe/Berlin") == 13',
    ],
)
async def test_a_condition_reads_what_the_interface_promises(when: str) -> None:
    assert await answer(when, environment={"stage": "prod"}) is True


async def test_the_task_is_read_with_its_attributes() -> None:
    """AZ-04"""
    when = 'task.id == "t-17" && task.name == "monthly close" && task.attributes.ledger == "eu"'
    assert await answer(when, WORKING) is True


@pytest.mark.parametrize("name", ["agent", "user", "tenant"])
async def test_a_caller_without_a_name_equals_no_argument(name: str) -> None:
    """`"owner": null` must not be somebody without a name."""
    assert await answer(f"args.owner == {name}", NOBODY) == f"`{name}` is not known here"
    assert await answer(f'{name} != "mallory"', NOBODY) == f"`{name}` is not known here"
    assert await answer(f"has(caller.{name})", NOBODY) is False


@pytest.mark.parametrize("arguments", [None, [1], "x", 7])
async def test_arguments_that_are_no_object_are_not_known(arguments: Any) -> None:
    given = call(params={"name": "x", "arguments": arguments})
    assert await answer("size(args) == 0", given=given) == "`args` is not known here"


async def test_left_out_arguments_are_an_empty_object() -> None:
    assert await answer("size(args) == 0", given=call(params={"name": "x"})) is True


async def test_a_key_beside_those_read_does_no_harm() -> None:
    """Only what a condition reads is handed to CEL."""
    assert await answer("args.amount == 3", given=call({"amount": 3, "huge": 2**80})) is True
    assert await answer("size(args) == 2", given=call({"amount": 3, "huge": 2**80})) == "out of range"


async def test_the_client_names_itself_in_session_or_message() -> None:
    when = 'client.ip == "192.0.2.7" && client.name == "desk"'
    modern = call(client_ip="192.0.2.7", params={"_meta": {CLIENT_INFO: {"name": "desk"}}})
    assert await answer(when, given=modern) is True
    assert await answer(when, given=call(client_ip="192.0.2.7", session=session("desk"))) is True


@pytest.mark.parametrize("meta", [None, [], {CLIENT_INFO: "desk"}, {CLIENT_INFO: {"name": 7}}])
async def test_a_client_that_names_itself_oddly_has_no_name(meta: Any) -> None:
    assert await answer("!has(client.name) && !has(client.ip)", given=call(params={"_meta": meta})) is True


async def test_tool_facts_come_from_the_catalogue() -> None:
    facts = {"title": "Read", "annotations": {"readOnlyHint": True}, "tags": ["money"], "else": object()}
    when = (
        'tool.title == "Read" && tool.annotations.readOnlyHint && "money" in tool.tags && tool.name == "read"'
    )
    assert await answer(when, facts=lambda target: facts) is True
    assert await answer("size(tool) == 5", facts=lambda target: facts) is True


async def test_facts_of_an_unknown_tool_fail_the_condition() -> None:
    assert await answer("tool.annotations.readOnlyHint") == "there is no key `annotations`"
    assert await answer("has(tool.annotations)") is False


async def test_a_known_tool_without_facts_has_empty_ones() -> None:
    when = "size(tool.annotations) == 0 && size(tool.tags) == 0 && !has(tool.title)"
    assert await answer(when, facts=lambda target: {"title": None}) is True


@pytest.mark.parametrize(("kind", "name"), [(Kind.RESOURCE, "resource.uri"), (Kind.PROMPT, "prompt.name")])
async def test_resources_and_prompts_are_read_alike(kind: Kind, name: str) -> None:
    """AZ-26"""
    word = name.partition(".")[0]
    when = f'{name} == "a://b/c" && {word}.server == "bank" && !has(tool.name) && !has(tool.title)'
    judge = policy_of({"id": "one", "effect": "allow", f"{word}s": ["bank/a://*"], "when": when})
    assert (await judge.decide(ANALYST, Target(kind, "bank", "a://b/c"), call())).effect is Effect.ALLOW


async def test_the_clock_is_read_once_per_decision() -> None:
    """Midnight must not fall between two readings."""
    ticks = iter([NOON, NOON + 3600])
    assert await answer("now.hour == 12 && now.epoch % 3600 == 0", clock=lambda: next(ticks)) is True
