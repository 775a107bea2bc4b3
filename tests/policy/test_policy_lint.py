"""Warnings, and what rules cost."""

from typing import Any

import pytest
from policy_support import policy_of, rule

from toolgate.policy.lint import Surroundings, costs, lint

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


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ([rule(tools=["bnak/*"])], "`bnak` is no server of this config. Did you mean `bank`?"),
        (
            [rule(tasks=["monthly-clsoe"])],
            "`monthly-clsoe` is no declared task. Did you mean `monthly-close`?",
        ),
        ([rule("sql(args.q).reads_only")], "`servers.bank.sql` is not set: the condition fails there."),
        ([rule(id="a"), rule("args.n == 1", id="b")], "Adds nothing: `a` says allow to all it is about."),
        ([rule(id="a"), rule(id="b")], "Adds nothing: `a` says allow to all it is about."),
    ],
)
def test_what_the_config_does_not_know_and_what_adds_nothing_is_noticed(rules: list[Any], says: str) -> None:
    around = Surroundings(frozenset({"bank", "crm"}), frozenset({"monthly-close"}))
    assert [says in str(one) for one in lint(policy_of(*rules), around)].count(True) == 1


@pytest.mark.parametrize(
    "rules",
    [
        [rule(tools=["ba*/x"])],
        [rule(tasks=["something-else"])],
        [rule(id="a", tools=["bank/*"]), rule(id="b", tools=["*"], subjects={"roles": ["x"]})],
        [rule("args.n == 1", id="a"), rule("args.n == 2", id="b")],
    ],
)
def test_nothing_is_said_of_rules_that_are_right(rules: list[Any]) -> None:
    around = Surroundings(frozenset({"bank", "crm"}), frozenset({"monthly-close"}))
    assert lint(policy_of(*rules), around) == []


def test_in_first_match_a_later_rule_of_the_same_effect_takes_nothing_away() -> None:
    rules = [rule(id="a", tools=["bank/x"]), rule(effect="deny", id="b", tools=["bank/*"]), rule(id="c")]
    assert lint(policy_of(*rules, combine="first-match")) == []
