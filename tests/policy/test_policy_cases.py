"""The `tests:` of policy files."""

import pytest
from policy_support import source

from toolgate.policy.cases import CaseResult, run_cases
from toolgate.policy.compilation import compile_policies

RULES = """version: 1
rules:
  - {id: day, effect: allow, tools: [bank/*], subjects: {roles: [staff]}, when: now.hour < 18}
  - {id: task, effect: allow, resources: ["bank/*"], when: task.attributes.level > 1}
  - {id: prompt, effect: approve, prompts: [bank/*], when: method == "prompts/get"}
  - {id: watch, effect: allow, resources: ["bank/*"], when: method == "resources/subscribe"}
tests:
"""


def run(*cases: str) -> list[CaseResult]:
    written = source(RULES + "".join(f"  - {{name: it, {case}}}\n" for case in cases))
    return run_cases(compile_policies([written]), [written])


@pytest.mark.parametrize(
    "case",
    [
        "as: {roles: [staff]}, call: {tool: bank/a}, at: '2026-11-20T10:00:00Z', expect: allow",
        "as: {roles: [staff]}, call: {tool: bank/a}, at: '2026-11-20T19:00:00+01:00', expect: deny",
        "as: {roles: [staff]}, call: {tool: bank/a}, at: 2026-11-20T10:00:00Z, expect: allow",
        "as: {roles: [staff]}, call: {tool: bank/a}, expect: visible",
        "call: {tool: bank/a}, expect: hidden",
        "call: {tool: bank/a}, at: '2026-11-20T10:00:00Z', expect: deny",
        "as: {task: {id: t, attributes: {level: 2}}}, call: {resource: 'bank/a://b'}, expect: allow",
        "as: {task: t}, call: {resource: 'bank/a://b'}, expect: deny",
        "call: {prompt: bank/p}, expect: approve",
        "call: {resource: 'bank/a://b', method: resources/subscribe}, expect: allow",
        "call: {method: ping}, expect: allow",
    ],
)
def test_a_case_that_holds_passes(case: str) -> None:
    (result,) = run(case)
    assert result.passed, result


def test_a_case_that_does_not_hold_says_what_came_instead() -> None:
    result = run("as: {roles: [staff]}, call: {tool: bank/a}, at: '2026-11-20T10:00:00Z', expect: deny")[0]
    assert (result.passed, result.expected, result.got, result.rule) == (False, "deny", "allow", "day")
    assert (result.file, result.line) == ("policy.yaml", 1)


def test_without_a_time_no_case_depends_on_the_day_it_runs() -> None:
    (result,) = run("as: {roles: [staff]}, call: {tool: bank/a}, expect: allow")
    assert (result.passed, result.got) == (False, "deny")
    assert result.errors == ("day: `now.hour` is not known here",)


def test_cases_come_back_in_the_order_written() -> None:
    lines = [result.line for result in run(*["call: {tool: a/b}, expect: deny"] * 3)]
    assert lines == [1, 2, 3]
