"""Conditions as the library evaluates them."""

import gc
from typing import Any

import pytest

from toolgate.policy.cel import CompileError, Failed, Language

BIG = 2**70


@pytest.fixture(scope="module")
def language() -> Language:
    return Language()


@pytest.mark.parametrize("amount", [10_001, 10_000.5, 12_500.0, 2**63])
def test_integers_and_decimals_compare_alike(language: Language, amount: float) -> None:
    """JSON writes the same amount as 12500 or 12500.0."""
    assert language.compile("args.amount > 10000").evaluate({"args": {"amount": amount}}) is True
    assert language.compile("args.amount > 10000.0").evaluate({"args": {"amount": amount}}) is True


def test_integers_and_decimals_are_equal_where_their_values_are(language: Language) -> None:
    assert language.compile("args.n == 1").evaluate({"args": {"n": 1.0}}) is True
    assert language.compile("args.n in [1, 2]").evaluate({"args": {"n": 1.0}}) is True


@pytest.mark.parametrize(
    ("text", "data", "says"),
    [
        ("args.amount > 1", {"args": {}}, "there is no key `amount`"),
        ("args.amount > 1", {}, "`args` is not known here"),
        ("args.amount > 1", {"args": None}, "cannot be judged"),
        ("args.amount > 1", {"args": [1]}, "cannot be judged"),
        ("args.amount > 1", {"args": {"amount": "12500"}}, "do not fit _>_"),
        ("args.amount > 1", {"args": {"amount": BIG}}, "out of range"),
        ("args.amount > 1", {"args": {"amount": (1, 2)}}, "cannot be judged"),
        ("args.amount == 'x'", {"args": {"amount": "\ud800"}}, "cannot be judged"),
        ("args.amount == 'x'", {"args": {"amount": "x", "\ud800": 1}}, "cannot be judged"),
        ("args.l.all(a, args.l.all(b, args.l.all(c, c > 0)))", {"args": {"l": [1] * 300}}, "budget"),
        ("args.l.all(a, a > 0)", {"args": {"l": [1] * 10_001}}, "budget"),
        ("1 / args.n > 1", {"args": {"n": 0}}, "divide by zero"),
        ("args.confirmed", {"args": {"confirmed": "yes"}}, "neither true nor false"),
        ("args.confirmed", {"args": {"confirmed": 1}}, "neither true nor false"),
    ],
)
def test_what_cannot_be_evaluated_is_a_failure(
    language: Language, text: str, data: dict[str, Any], says: str
) -> None:
    verdict = language.compile(text).evaluate(data)
    assert isinstance(verdict, Failed)
    assert says in verdict.text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("args[args.k] == 1", "sesame"),
        ("int(args.k) == 1", "sesame"),
        ("timestamp(args.k) > timestamp('2026-01-01T00:00:00Z')", "sesame"),
        ("'x'.matches(args.k)", "(sesame"),
        ("args.k == 1", ("sesame",)),
        ("args.k == 1", {"sesame": BIG}),
    ],
)
def test_failures_quote_no_value_of_the_call(language: Language, text: str, value: Any) -> None:
    verdict = language.compile(text).evaluate({"args": {"k": value}})
    assert isinstance(verdict, Failed)
    assert "sesame" not in verdict.text


def test_128_levels_are_no_problem(language: Language) -> None:
    deep: dict[str, Any] = {}
    for _ in range(128):
        deep = {"a": deep}
    assert language.compile("args.n == 1").evaluate({"args": {"n": 1, "deep": deep}}) is True


def test_programs_outlive_the_language_they_came_from() -> None:
    program = Language().compile("args.n == 1")
    gc.collect()
    assert program.evaluate({"args": {"n": 1}}) is True


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("arg.amount > 1", "Did you mean `args`?"),
        ("rolse.size() > 1", "Did you mean `roles`?"),
        ("now.hours > 1", "Did you mean `now.hour`?"),
        ("now > 1", "There is: now.hour"),
        ('agent.startWith("a")', "Did you mean `startsWith`?"),
        ("agent", "gives string"),
        ("args.a + 1", "gives"),
        ("agent == 5", "no matching overload"),
        ("args.a ==", "Syntax error"),
        ("true &&\n  arg.b", "line 2"),
        ("+".join(["1"] * 40) + " == 1", "recursion"),
    ],
)
def test_a_condition_that_cannot_work_does_not_compile(language: Language, text: str, says: str) -> None:
    with pytest.raises(CompileError) as caught:
        language.compile(text)
    assert says in " ".join(caught.value.complaints)
