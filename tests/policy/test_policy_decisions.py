"""How rules combine, in calls."""

from itertools import permutations

import pytest
from policy_support import ANALYST, NOBODY, ask, call, policy, policy_of, rule, tool

from toolgate.model import Effect, Kind, Principal, Target, Task

FAILS = "args.missing > 1"


async def test_no_policy_denies_everything() -> None:
    """AZ-22"""
    decision = await ask(policy_of())
    assert (decision.effect, decision.rule) == (Effect.DENY, None)


async def test_deny_beats_approve_beats_allow_in_any_order() -> None:
    rules = [rule(effect=effect) for effect in ("allow", "approve", "deny")]
    for ordered in permutations(rules):
        assert (await ask(policy_of(*ordered))).rule == "the-deny"
        without = [each for each in ordered if each["effect"] != "deny"]
        assert (await ask(policy_of(*without))).rule == "the-approve"


async def test_the_default_answers_where_nothing_matches() -> None:
    other = rule(tools=["crm/*"])
    assert (await ask(policy_of(other, default="allow"))).effect is Effect.ALLOW
    assert (await ask(policy_of(other, default="deny"))).effect is Effect.DENY


@pytest.mark.parametrize(
    ("effect", "default", "outcome"),
    [
        ("allow", "deny", Effect.DENY),
        ("deny", "allow", Effect.DENY),
        ("approve", "allow", Effect.APPROVE),
        ("approve", "deny", Effect.APPROVE),
    ],
)
async def test_a_condition_that_fails_widens_nothing(effect: str, default: str, outcome: Effect) -> None:
    decision = await ask(policy_of(rule(FAILS, effect), default=default))
    assert decision.effect is outcome
    assert decision.errors == (f"the-{effect}: there is no key `missing`",)


async def test_failures_on_the_way_to_a_decision_are_recorded() -> None:
    judge = policy_of(rule(FAILS, id="a-broken"), rule("args.n == 1", id="b-works"))
    decision = await ask(judge, {"n": 1})
    assert (decision.effect, decision.rule) == (Effect.ALLOW, "b-works")
    assert decision.errors == ("a-broken: there is no key `missing`",)


async def test_a_failure_known_before_the_call_is_recorded_with_each_call() -> None:
    judge = policy_of(rule('user == "ada"', id="a"), rule(id="b"), rule("args.n == 2", "deny", id="c"))
    for _ in range(2):
        decision = await ask(judge, {"n": 1}, by=NOBODY)
        assert decision.effect is Effect.ALLOW
        assert (await ask(judge, {"n": 2}, by=NOBODY)).effect is Effect.DENY


async def test_the_reason_of_the_rule_is_what_the_caller_reads() -> None:
    """AZ-23"""
    decision = await ask(policy_of(rule(effect="approve", reason="Four eyes.")))
    assert decision.reason == "Four eyes."
    assert (await ask(policy_of())).reason is None


@pytest.mark.parametrize(
    ("subjects", "covered"),
    [
        ({"roles": ["finance-analyst"]}, True),
        ({"roles": ["other", "staff"]}, True),
        ({"roles": ["staff"], "tenants": ["acme"]}, True),
        ({"roles": ["staff"], "tenants": ["other"]}, False),
        ({"agents": ["reporter"], "users": ["ada"], "scopes": ["mcp:tools"], "tags": ["low-risk"]}, True),
        ({"agents": ["ada"]}, False),
        ({"roles": ["Staff"]}, False),
    ],
)
async def test_each_kind_named_must_match_and_one_value_is_enough(
    subjects: dict[str, list[str]], covered: bool
) -> None:
    """AZ-02, AZ-14, AZ-19"""
    decision = await ask(policy_of(rule(subjects=subjects)))
    assert (decision.effect is Effect.ALLOW) is covered


async def test_a_task_rule_needs_that_task() -> None:
    """AZ-01, AZ-04: the same agent may do other things under another task."""
    judge = policy_of(rule(tasks=["monthly-close"]))
    for task, effect in ((None, Effect.DENY), ("payments", Effect.DENY), ("monthly-close", Effect.ALLOW)):
        working = Principal("p", "jwt", agent="reporter", task=Task(task) if task else None)
        assert (await ask(judge, by=working)).effect is effect


async def test_a_task_is_known_by_its_id_not_by_its_label() -> None:
    working = Principal("p", "jwt", task=Task("t-1", name="monthly-close"))
    assert (await ask(policy_of(rule(tasks=["monthly-close"])), by=working)).effect is Effect.DENY


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*", True),
        ("bank/*", True),
        ("*/read", True),
        ("bank/read", True),
        ("ba*/re*", True),
        ("bank/rea", False),
        ("Bank/read", False),
        ("ban/*", False),
        ("*/list_*", False),
    ],
)
async def test_a_tool_pattern_fits_server_and_name(pattern: str, fits: bool) -> None:
    """AZ-03, AZ-21"""
    assert ((await ask(policy_of(rule(tools=[pattern])))).effect is Effect.ALLOW) is fits


async def test_a_star_in_the_server_part_stays_in_it() -> None:
    judge = policy_of(rule(tools=["*/list_*"]))
    assert (await ask(judge, to="bank/x/list_y")).effect is Effect.DENY


async def test_a_rule_about_tools_says_nothing_about_resources() -> None:
    """AZ-26"""
    judge = policy_of(rule(), {"id": "r", "effect": "allow", "resources": ["bank/accounts://*"]})
    for name, effect in (("accounts://eu/1", Effect.ALLOW), ("files://x", Effect.DENY)):
        decision = await judge.decide(ANALYST, Target(Kind.RESOURCE, "bank", name), call())
        assert decision.effect is effect
    assert (await judge.decide(ANALYST, Target(Kind.PROMPT, "bank", "p"), call())).effect is Effect.DENY


async def test_no_rule_aims_at_a_server_as_a_whole() -> None:
    decision = await policy_of(rule()).decide(ANALYST, Target(Kind.SERVER, "bank", ""), call())
    assert (decision.effect, decision.rule) == (Effect.DENY, None)


FIRST = """
combine: first-match
rules:
  - {id: one, effect: allow, tools: [bank/*], when: args.n == 1}
  - {id: two, effect: deny, tools: [bank/*], when: args.n < 3}
  - {id: three, effect: approve, tools: [bank/*], when: args.n < 4}
  - {id: four, effect: allow, tools: [bank/*]}
  - {id: five, effect: deny, tools: [bank/*]}
"""


@pytest.mark.parametrize(
    ("args", "by"),
    [({"n": 1}, "one"), ({"n": 2}, "two"), ({"n": 3}, "three"), ({"n": 4}, "four"), ({}, "two")],
)
async def test_the_first_match_decides_where_that_is_asked_for(args: dict[str, int], by: str) -> None:
    assert (await ask(policy(FIRST), args)).rule == by


async def test_what_was_decided_for_one_caller_is_not_told_to_another() -> None:
    judge = policy_of(rule(subjects={"roles": ["staff"]}))
    for _ in range(2):
        assert (await ask(judge)).effect is Effect.ALLOW
        assert (await ask(judge, by=NOBODY)).effect is Effect.DENY
        assert (await judge.decide(ANALYST, tool("bank/read"), call())).effect is Effect.ALLOW


async def test_facts_about_a_tool_are_asked_anew_each_time() -> None:
    """A catalogue changes while plans are remembered."""
    facts = {"annotations": {"readOnlyHint": True}}
    judge = policy_of(rule("tool.annotations.readOnlyHint"), facts=lambda target: facts)
    assert (await ask(judge)).effect is Effect.ALLOW
    facts["annotations"] = {"readOnlyHint": False}
    assert (await ask(judge)).effect is Effect.DENY
    assert (await judge.decide(ANALYST, tool("bank/read"))).effect is Effect.DENY
