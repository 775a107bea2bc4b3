"""From documents to a policy, or to everything wrong with them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_support import policy, policy_of, rule, source

from toolgate.errors import ConfigError
from toolgate.policy.compilation import compile_policies

ONE = "version: 1\nrules:\n  - {id: one, effect: allow, tools: [bank/*]}\n"
TWO = "version: 1\nrules:\n  - {id: two, effect: deny, tools: [crm/a, crm/b], when: args.n > 1}\n"


def problems_of(*texts: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        compile_policies([source(text, f"{at}.yaml") for at, text in enumerate(texts)])
    return [str(problem) for problem in caught.value.problems]


def test_every_problem_is_reported_at_its_place() -> None:
    text = """
version: 1
rules:
  - {id: a, effect: allow, tools: [read], when: arg.amount > 1}
  - {id: b, effect: allow, tools: ["*"], when: tool.nam == "x"}
  - {id: a, effect: deny, resources: ["accounts://*"], when: "args.x =="}
"""
    found = problems_of(text)
    assert [problem.partition(": ")[0] for problem in found] == [
        "0.yaml:3:2", "0.yaml:1:2", "0.yaml:1:2", "0.yaml:2:2", "0.yaml:3:2", "0.yaml:3:2",
    ]  # fmt: skip
    for problem, says in zip(
        found,
        ["taken by the rule at 0.yaml:1", "*/read", "`args`?", "`name`?", "*/accounts", "Syntax"],
        strict=True,
    ):
        assert says in problem


def test_an_id_may_be_used_once_across_files() -> None:
    assert "`one` is taken by the rule at 0.yaml:1" in problems_of(ONE, ONE)[0]


@pytest.mark.parametrize("key", ["default", "combine"])
def test_files_that_disagree_are_refused(key: str) -> None:
    values = {"default": ("deny", "allow"), "combine": ("deny-overrides", "first-match")}[key]
    texts = [f"version: 1\n{key}: {value}" for value in values]
    assert f"{key}: {values[0]}" in problems_of(*texts)[0]


def test_first_match_keeps_all_rules_in_one_file() -> None:
    """The order of files means nothing, so it cannot decide between their rules."""
    head = "combine: first-match\n"
    assert "one file" in problems_of(ONE + head, TWO + head)[0]
    assert compile_policies([source(ONE + head), source("version: 1\ndefault: deny")]).first_match


def test_a_file_that_says_nothing_of_the_default_takes_that_of_the_others() -> None:
    judge = compile_policies([source(ONE), source("version: 1\ndefault: allow")])
    assert judge.default.effect == "allow"


def version(*texts: str) -> str:
    return compile_policies([source(text, f"{at}.yaml") for at, text in enumerate(texts)]).version


@pytest.mark.parametrize(
    "texts",
    [
        (TWO, ONE),
        (ONE + TWO.partition("rules:\n")[2],),
        (ONE + "default: deny", TWO + "tests: [{name: a, call: {tool: a/b}, expect: allow}]"),
        (ONE + "# a comment", TWO.replace("crm/a, crm/b", "crm/b, crm/a")),
    ],
)
def test_the_version_is_the_same_where_nothing_is_decided_otherwise(texts: tuple[str, ...]) -> None:
    """AZ-11, AU-05"""
    assert version(*texts) == version(ONE, TWO)
    assert version(*texts).startswith("sha256:")
    assert len(version(*texts)) == len("sha256:") + 16


@pytest.mark.parametrize(
    ("old", "new"),
    [("two", "three"), ("deny", "approve"), ("crm/a", "crm/c"), ("> 1", "> 2"), ("when:", "reason:")],
)
def test_the_version_changes_with_whatever_decides(old: str, new: str) -> None:
    assert version(ONE, TWO.replace(old, new)) != version(ONE, TWO)


def test_the_version_minds_order_only_where_order_decides() -> None:
    rules = [rule(id="a"), rule("args.n == 1", "deny", id="b")]
    assert policy_of(*rules).version == policy_of(*reversed(rules)).version
    first = {"combine": "first-match"}
    assert policy_of(*rules, **first).version != policy_of(*reversed(rules), **first).version


@given(st.text(max_size=30))
def test_any_text_as_a_condition_compiles_or_is_a_config_error(text: str) -> None:
    with suppress(ConfigError):
        policy_of(rule(f"true || {text}"))


def test_a_rule_about_lists_reads_nothing_of_a_call() -> None:
    written = "lists: [{id: a, effect: hide, tools: ['*'], when: 'args.n == 1 && method == \"tools/list\"'}]"
    with pytest.raises(ConfigError, match=r"lists\.0\.when: A list knows no `args`, `method`"):
        policy(written)


def test_rules_about_lists_stand_in_one_file_and_share_their_ids_with_no_rule() -> None:
    one = source("version: 1\nlists: [{id: a, effect: hide, tools: ['*']}]\n", "one.yaml")
    two = source("version: 1\nrules: [{id: a, effect: deny, tools: ['*']}]\n", "two.yaml")
    with pytest.raises(ConfigError, match="All `lists:` stand in one file"):
        compile_policies([one, one])
    with pytest.raises(ConfigError, match="The id `a` is taken"):
        compile_policies([one, two])


def test_what_lists_show_is_part_of_the_version() -> None:
    rules = "rules: [{id: a, effect: allow, tools: ['*']}]\n"
    lists = "lists: [{id: b, effect: hide, tools: ['*']}]\n"
    assert policy(rules).version != policy(rules + lists).version
