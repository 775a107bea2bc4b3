"""Warnings, and what rules cost."""

from typing import Any

import pytest
from policy_support import policy_of, rule

from toolgate.policy.lint import costs, lint

STAFF = {"roles": ["staff"]}


def shadowed(*rules: dict[str, Any], **kwargs: Any) -> bool:
    return any("Never decides" in problem.text for problem in lint(policy_of(*rules, **kwargs)))


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ({"tools": ["*"]}, {"tools": ["bank/read"]}, True),
        ({"tools": ["bank/*"]}, {"tools": ["bank/read_*"]}, True),
        ({"tools": ["bank/read_*"]}, {"tools": ["bank/*"]}, False),
        ({"tools": ["bank/*"]}, {"tools": ["bank/a", "crm/a"]}, False),
        ({"tools": ["bank/*", "crm/*"]}, {"tools": ["bank/a", "crm/a"]}, True),
        ({"tools": ["*"]}, {"tools": ["a/b"], "resources": ["a/b"]}, False),
        ({"tools": ["*"], "subjects": STAFF}, {"tools": ["*"]}, False),
        ({"tools": ["*"], "subjects": STAFF}, {"tools": ["*"], "subjects": STAFF}, True),
        ({"tools": ["*"], "subjects": {"roles": ["staff", "x"]}}, {"tools": ["*"], "subjects": STAFF}, True),
        ({"tools": ["*"], "subjects": STAFF}, {"tools": ["*"], "subjects": {"roles": ["staff", "x"]}}, False),
        ({"tools": ["*"], "subjects": STAFF}, {"tools": ["*"], "subjects": {**STAFF, "users": ["u"]}}, True),
        ({"tools": ["*"], "tasks": ["t"]}, {"tools": ["*"], "tasks": ["t"], "subjects": STAFF}, True),
        ({"tools": ["*"], "tasks": ["t"]}, {"tools": ["*"]}, False),
        ({"tools": ["*"], "when": "args.n == 1"}, {"tools": ["*"]}, False),
    ],
)
def test_a_rule_under_a_broader_deny_never_decides(
    wide: dict[str, Any], narrow: dict[str, Any], expected: bool
) -> None:
    for effect in ("allow", "approve"):
        assert (
            shadowed({"id": "n", "effect": effect, **narrow}, {"id": "w", "effect": "deny", **wide})
            is expected
        )


def test_what_is_outranked_only_is_shadowed() -> None:
    assert shadowed(rule(id="a"), rule(effect="approve"))
    assert not shadowed(rule("args.n == 1", "deny"), rule(effect="approve"))
    assert not shadowed(rule(id="a"), rule(id="b"))


def test_in_first_match_the_earlier_rule_shadows() -> None:
    rules = rule(id="a"), rule("args.n == 1", "deny", id="b")
    assert shadowed(*rules, combine="first-match")
    assert not shadowed(*reversed(rules), combine="first-match")


def test_an_allow_under_default_allow_changes_nothing() -> None:
    problems = lint(policy_of(rule(), default="allow"))
    assert ["Changes nothing" in problem.text for problem in problems] == [True]
    assert (problems[0].file, problems[0].key) == ("policy.yaml", "the-allow")
    assert lint(policy_of(rule(), default="deny")) == []


def test_a_condition_that_is_always_false_is_noticed() -> None:
    assert "Never matches" in lint(policy_of(rule("1 > 2")))[0].text
    assert lint(policy_of(rule("1 < 2"))) == []


def test_an_environment_key_nobody_configured_is_noticed() -> None:
    judge = policy_of(
        rule('environment.stage == "prod" && environment.zone == "a"'), environment={"zone": "a"}
    )
    assert [problem.text for problem in lint(judge)] == [
        "Reads `environment.stage`, which is not configured here."
    ]


def test_each_rule_has_a_price() -> None:
    conditions = [
        None,
        '"staff" in roles',
        "tool.title == 'x'",
        "args.n == 1",
        "now.hour > 1",
        "size(args) > 1",
    ]
    judge = policy_of(*(rule(when, id=f"r{at}") for at, when in enumerate(conditions)))
    assert [cost.word for cost in costs(judge)] == [
        "static", "static", "condition", "condition", "condition", "reads all args",
    ]  # fmt: skip
