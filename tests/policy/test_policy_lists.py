"""What lists show, and that it agrees with what calls get."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_support import ANALYST, NOBODY, NOON, ask, call, policy, policy_of, rule, see, tool

from toolgate.model import Effect, Principal
from toolgate.policy.decisions import Policy
from toolgate.policy.plan import RANK, matches
from toolgate.policy.rules import held_by

OPEN = "args.n == 1"


@pytest.mark.parametrize(
    ("rules", "default", "listed"),
    [
        ([], "deny", Effect.DENY),
        ([("deny", OPEN)], "deny", Effect.DENY),
        ([("deny", OPEN)], "allow", Effect.DEPENDS),
        ([("deny", OPEN), ("approve", None)], "deny", Effect.DEPENDS),
        ([("approve", OPEN)], "allow", Effect.DEPENDS),
        ([("approve", OPEN)], "deny", Effect.DEPENDS),
        ([("allow", OPEN)], "allow", Effect.ALLOW),
        ([("allow", OPEN)], "deny", Effect.DEPENDS),
        ([("allow", OPEN), ("approve", None)], "deny", Effect.APPROVE),
        ([("approve", OPEN), ("allow", None)], "deny", Effect.DEPENDS),
        ([("allow", OPEN), ("deny", None)], "allow", Effect.DENY),
        ([("deny", OPEN), ("approve", OPEN), ("allow", OPEN)], "deny", Effect.DEPENDS),
    ],
)
async def test_a_list_says_what_the_table_says(rules: list[Any], default: str, listed: Effect) -> None:
    """The table stands in `toolgate.policy.plan`."""
    judge = policy_of(*(rule(when, effect) for effect, when in rules), default=default)
    assert (await see(judge)).effect is listed


@pytest.mark.parametrize(
    ("when", "listed"),
    [
        ('"staff" in roles', Effect.ALLOW),
        ('"boss" in roles', Effect.DENY),
        ('"boss" in roles && args.n == 1', Effect.DENY),
        ('args.n == 1 && "boss" in roles', Effect.DENY),
        ('"staff" in roles && args.n == 1', Effect.DEPENDS),
        ('"staff" in roles || args.n == 1', Effect.ALLOW),
        ('tool.name == "read"', Effect.ALLOW),
        ("now.hour > 8", Effect.DEPENDS),
        ('"boss" in roles ? args.n == 1 : false', Effect.DENY),
        ("claims.missing == 1", Effect.DENY),
        ("claims.missing == 1 && args.n == 1", Effect.DEPENDS),
    ],
)
async def test_what_caller_and_target_settle_is_settled_in_lists(when: str, listed: Effect) -> None:
    """AZ-20, RG-10"""
    assert (await see(policy_of(rule(when)))).effect is listed


@pytest.mark.parametrize(
    ("when", "listed"),
    [
        ("tool.annotations.readOnlyHint", Effect.ALLOW),
        ("!tool.annotations.readOnlyHint", Effect.DENY),
        ("tool.annotations.readOnlyHint && args.n == 1", Effect.DEPENDS),
        ("!tool.annotations.readOnlyHint && args.n == 1", Effect.DENY),
        ("tool.annotations.destructiveHint", Effect.DENY),
    ],
)
async def test_what_the_catalogue_knows_is_settled_in_lists(when: str, listed: Effect) -> None:
    judge = policy_of(rule(when), facts=lambda target: {"annotations": {"readOnlyHint": True}})
    assert (await see(judge)).effect is listed


async def test_a_failure_in_a_list_is_recorded_and_widens_nothing() -> None:
    decision = await see(policy_of(rule("tool.annotations.x", "deny"), default="allow"))
    assert (decision.effect, decision.rule) == (Effect.DENY, "the-deny")
    assert decision.errors == ("the-deny: there is no key `annotations`",)


async def test_first_match_is_seen_ahead_too() -> None:
    text = "combine: first-match\nrules:\n  - {id: a, effect: allow, tools: ['*'], when: args.n == 1}\n"
    closed = "  - {id: b, effect: deny, tools: ['*']}\n"
    more = "  - {id: c, effect: allow, tools: ['*']}\n"
    assert (await see(policy(text + closed + more))).effect is Effect.DEPENDS
    assert (await see(policy(text + more))).effect is Effect.ALLOW


conditions = st.sampled_from(
    [
        None,
        "args.n == 1",
        "args.n > 1 && args.s == 'eu'",
        '"staff" in roles',
        '"staff" in roles && args.n == 1',
        'user == "ada"',
        'user == "ada" || args.n == 2',
        "tool.annotations.readOnlyHint",
        "tool.annotations.readOnlyHint && args.n < 2",
        "tool.annotations.readOnlyHint || args.missing == 1",
        "now.hour < 12 || has(args.s)",
        "args.l.exists(x, 10 / x > 9)",
        'has(caller.user) ? args.s == user : "boss" in roles',
    ]
)
rules = st.lists(
    st.tuples(
        st.sampled_from(["allow", "deny", "approve"]),
        conditions,
        st.sampled_from([None, {"roles": ["staff"]}, {"users": ["ada"]}, {"roles": ["boss"]}]),
        st.sampled_from([["*"], ["bank/*"], ["bank/read"], ["crm/*"]]),
    ),
    max_size=5,
)
arguments = st.fixed_dictionaries(
    {},
    optional={
        "n": st.sampled_from([0, 1, 1.0, 2, "1", 2**70]),
        "s": st.sampled_from(["eu", "ada", None]),
        "l": st.sampled_from([[0, 1], [0], [], "x"]),
    },
)
callers = st.sampled_from([ANALYST, NOBODY, Principal("p3", "jwt", roles=("boss",))])


# 300 cases, and 100,000 with `make visibility`.
@settings(max_examples=3 * settings.default.max_examples, deadline=None)
@given(
    rules=rules,
    default=st.sampled_from(["allow", "deny"]),
    first=st.booleans(),
    facts=st.sampled_from([None, {}, {"annotations": {"readOnlyHint": True}}]),
    args=arguments,
    by=callers,
)
def test_a_list_never_contradicts_a_call(
    rules: list[Any], default: str, first: bool, facts: Any, args: Any, by: Principal
) -> None:
    """RG-10: what is denied in a list is denied in every call, and every certain answer holds in it."""
    written = [
        {"id": f"r{at}", "effect": effect, "tools": tools}
        | ({"when": when} if when else {})
        | ({"subjects": subjects} if subjects else {})
        for at, (effect, when, subjects, tools) in enumerate(rules)
    ]
    combine = {"combine": "first-match"} if first else {}
    judge = policy_of(*written, default=default, facts=lambda target: facts, **combine)
    listed, called = asyncio.run(_both(judge, args, by))
    assert called is _by_asking_all(judge, args, by, first=first)
    assert listed in (called, Effect.DEPENDS)


def _by_asking_all(judge: Policy, args: Any, by: Principal, *, first: bool) -> Effect:
    """The answer without index, plan or memory: every rule is asked, in the call."""
    target, held = tool("bank/read"), held_by(by)
    situation = judge.situation(by, target, call(args), lambda: NOON)
    effects = [
        rule.effect
        for rule in judge.rules
        if rule.aims_at(target)
        and rule.covers(held)
        and matches(rule, rule.condition.judge(situation) if rule.condition else True)
    ]
    ranked = effects if first else sorted(effects, key=RANK.__getitem__)
    return ranked[0] if ranked else judge.default.effect


async def _both(judge: Any, args: Any, by: Principal) -> tuple[Effect, Effect]:
    listed = await judge.decide(by, tool("bank/read"))
    called = await judge.decide(by, tool("bank/read"), call(args))
    return listed.effect, called.effect


async def test_a_hidden_tool_is_denied_and_a_shown_one_may_be() -> None:
    judge = policy_of(rule("args.n == 1", subjects={"roles": ["staff"]}))
    assert (await see(judge, by=NOBODY)).effect is Effect.DENY
    assert (await ask(judge, {"n": 1}, by=NOBODY)).effect is Effect.DENY
    assert (await see(judge)).effect is Effect.DEPENDS
    assert (await ask(judge, {"n": 1})).effect is Effect.ALLOW
