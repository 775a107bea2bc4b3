"""Explanations."""

import json

from policy_support import ANALYST, NOBODY, NOON, call, policy, tool

from toolgate.model import Effect
from toolgate.policy.explain import Explanation, explain

TEXT = """
rules:
  - {id: others, effect: allow, tools: [crm/*]}
  - {id: bosses, effect: allow, subjects: {roles: [boss]}, tasks: [close], tools: [bank/*]}
  - {id: small, effect: allow, tools: [bank/*], when: args.amount < 100 && now.hour > 8}
  - {id: large, effect: approve, tools: [bank/*], when: args.amount > 1000, reason: Four eyes.}
  - {id: frozen, effect: deny, tools: [bank/*], when: args.account.startsWith("x")}
"""


def told(args: dict[str, object]) -> Explanation:
    return explain(policy(TEXT), ANALYST, tool("bank/pay"), call(args), lambda: NOON)


def test_every_rule_is_accounted_for() -> None:
    """E1, E7 of the anchors: who, what, which rule, what to change."""
    explanation = told({"amount": 500, "account": "a"})
    assert explanation.decision.effect is Effect.DENY
    assert {look.rule: (look.matched, look.why) for look in explanation.looks} == {
        "others": (False, "about other targets"),
        "bosses": (False, "the caller has none of the tasks close and none of the roles boss"),
        "small": (False, "its condition is false"),
        "large": (False, "its condition is false"),
        "frozen": (False, "its condition is false"),
    }
    assert explanation.hints == (
        "Cheapest change: args.amount = 99; then it is allow by small.",
        "bosses would allow it, but the caller has none of the tasks close and none of the roles boss.",
        "small would allow it, but its condition is false.",
        "large would approve it, but its condition is false.",
    )


def test_what_a_condition_read_is_shown() -> None:
    looks = {look.rule: look for look in told({"amount": 500, "account": "a"}).looks}
    assert looks["small"].read == {"args.amount": 500, "now.hour": 12}
    assert looks["small"].condition == "args.amount < 100 && now.hour > 8"
    assert looks["small"].place == "policy.yaml:3"


def test_a_failed_condition_says_how_it_counts() -> None:
    explanation = told({"amount": "5"})
    assert explanation.decision.rule == "frozen"
    whys = {look.rule: (look.matched, look.why) for look in explanation.looks}
    assert whys["frozen"] == (True, "its condition failed (there is no key `account`), so it matches")
    assert whys["small"][0] is False
    assert whys["small"][1].endswith("so it does not match")
    assert explanation.hints[0].startswith("frozen decides for as long as its condition is not false")


def test_a_list_is_explained_without_a_call() -> None:
    explanation = explain(policy(TEXT), NOBODY, tool("bank/pay"))
    assert explanation.decision.effect is Effect.DEPENDS
    assert {look.rule for look in explanation.looks if look.matched is None} == {"small", "large", "frozen"}
    assert explanation.hints[0] == "small says allow if: args.amount < 100 && now.hour > 8"


def test_a_rule_without_condition_is_not_argued_with() -> None:
    judge = policy("rules: [{id: closed, effect: deny, tools: ['*']}]")
    assert explain(judge, ANALYST, tool("a/b")).hints == ("closed decides whatever the arguments are.",)
    first = policy("combine: first-match\nrules: [{id: closed, effect: deny, tools: ['*']}]")
    assert (
        explain(first, ANALYST, tool("a/b")).hints[0].endswith("Only a rule before it could say otherwise.")
    )


def test_what_is_allowed_is_told_what_would_turn_it() -> None:
    assert told({"amount": 5, "account": "a"}).hints == (
        "Cheapest change: args.amount = 100; then it is deny by the default.",
    )


def test_a_target_nobody_may_use_says_so() -> None:
    assert explain(policy(TEXT), ANALYST, tool("x/y"), call()).hints == (
        "No rule allows this target to anybody.",
    )


def test_the_lines_leave_other_targets_out() -> None:
    lines = told({"amount": 5000, "account": "a"}).lines()
    assert lines[0] == "bank/pay: approve (rule large)"
    assert "reason: Four eyes." in lines
    assert "+ large (approve, policy.yaml:4): matches" in lines
    assert "    args.amount = 5000" in lines
    assert "  1 more about other targets" in lines
    assert not any("others" in line for line in lines)


def test_programs_get_the_same_as_json() -> None:
    written = json.loads(json.dumps(told({"amount": 5000, "account": "a"}).as_dict()))
    assert written["decision"]["effect"] == "approve"
    assert written["decision"]["rule"] == "large"
    assert [look["rule"] for look in written["rules"]] == ["others", "bosses", "small", "large", "frozen"]


def test_a_moment_is_written_as_json_can_say_it() -> None:
    judge = policy("rules: [{id: a, effect: allow, tools: ['*'], when: now.timestamp.getHours() > 1}]")
    explanation = explain(judge, ANALYST, tool("a/b"), call(), lambda: NOON)
    written = json.loads(json.dumps(explanation.as_dict()))
    assert written["rules"][0]["read"] == {"now.timestamp": "2026-11-21T12:00:00+00:00"}


async def test_what_a_list_shows_is_explained_by_the_rules_about_lists() -> None:
    judge = policy(
        "rules: [{id: may, effect: allow, tools: ['*']}]\n"
        "lists: [{id: unseen, effect: hide, tools: ['bank/*']}]\n"
    )
    hidden = explain(judge, ANALYST, tool("bank/read"))
    assert (hidden.decision.rule, [look.rule for look in hidden.looks]) == ("unseen", ["unseen"])
    assert explain(judge, ANALYST, tool("crm/read")).decision.rule == "may"
    assert explain(judge, ANALYST, tool("bank/read"), call()).decision.rule == "may"
